/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/spec/internal.h"

/* Values of rows that this version carries out in part. */
static const struct {
	const char *key;
	const char *carried; /* `|` between */
	const char *wrong;   /* NULL: the general words */
	const char *remedy;
} partly[] = {
	{"privileged", "false", "privileged VEs are not carried out by this version", "leave `privileged` unset"},
	{"network", "private|none", NULL, "use private or none"},
	{"storage", "overlay", NULL, "use overlay"},
	{"seccomp", "default", NULL, "use default"},
};

int spec_fail(
	const struct place *at, const char *path, int code, int errnum, const char *remedy, const char *wrong, ...)
{
	struct error *e = at->error;
	bool first = e && !e->code;
	char words[512];
	va_list ap;
	int r;

	va_start(ap, wrong);
	vsnprintf(words, sizeof(words), wrong, ap);
	va_end(ap);
	if (!at->file)
		r = error_set(e, code, errnum, at->tried, remedy, "%s", words);
	else if (path && *path)
		r = error_set(e, code, errnum, at->tried, remedy, "%s:%u:%u: %.96s: %s", at->file, at->line, at->column,
			path, words);
	else
		r = error_set(
			e, code, errnum, at->tried, remedy, "%s:%u:%u: %s", at->file, at->line, at->column, words);
	if (first && path)
		snprintf(e->subject, sizeof(e->subject), "%.255s", path);
	return r;
}

int spec_fail_memory(const struct place *at)
{
	return error_sys(at->error, ENOMEM, at->tried, NULL);
}

int spec_fail_unknown(const struct place *at, const char *path)
{
	char near[SPEC_MAX_PATH], remedy[SPEC_MAX_PATH + 32] = "`man ve.json` has the keys";

	if (spec_nearest_words(path, near, sizeof(near)))
		snprintf(remedy, sizeof(remedy), "did you mean `%s`?", near);
	return spec_fail(at, path, VE_E_SPEC, 0, remedy, "there is no such key");
}

void value_free_items(char **items)
{
	size_t i;

	for (i = 0; items && items[i]; i++)
		free(items[i]);
	free(items);
}

void value_clear(struct value *v)
{
	free(v->path);
	free(v->text);
	value_free_items(v->items);
	*v = (struct value){0};
}

static bool is_choice(const char *choices, const char *word)
{
	size_t n = strlen(word);

	while (n > 0) {
		size_t k = strcspn(choices, "|");

		if (k == n && !memcmp(choices, word, n))
			return true;
		if (!choices[k])
			break;
		choices += k + 1;
	}
	return false;
}

/* "a|b|c" as "a, b or c". */
static void choice_words(const char *choices, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	while (*choices && used < size) {
		size_t k = strcspn(choices, "|");
		const char *rest = choices + k + (choices[k] == '|');
		const char *join = !*rest ? "" : strchr(rest, '|') ? ", " : " or ";
		int n = snprintf(buf + used, size - used, "%.*s%s", (int)k, choices, join);

		used += n > 0 ? (size_t)n : 0;
		choices = rest;
	}
}

/* ---- what a string may hold */

/* Control characters, C1 ones too, would let a spec write to the terminal of whoever lists VEs. */
static bool has_control(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	for (; *p; p++)
		if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
			return true;
	return false;
}

static int check_string(const struct place *at, const char *path, const char *text, size_t max)
{
	size_t n = strlen(text);

	if (!n)
		return spec_fail(at, path, VE_E_SPEC, 0, at->file ? "remove the key" : "`unset` takes a value away",
			"the value is empty");
	if (n > max)
		return spec_fail(at, path, VE_E_SPEC, 0, "shorten it", "%zu bytes long, where %zu are allowed", n, max);
	if (!json_is_utf8(text, n))
		return spec_fail(at, path, VE_E_SPEC, 0, "write it in UTF-8", "not valid UTF-8");
	if (has_control(text))
		return spec_fail(at, path, VE_E_SPEC, 0, "remove it", "a control character is in the value");
	return 0;
}

#define NAME_RULE "use 1 to 63 of a-z 0-9 -, first and last a letter or digit"

const char *value_name_problem(const char *name)
{
	size_t n = strlen(name);

	if (!n)
		return "the name is empty";
	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
		return "the name has characters that are not allowed";
	if (n > 63)
		return "the name is longer than 63 characters";
	if (name[0] == '-')
		return "the name starts with -";
	if (name[n - 1] == '-')
		return "the name ends with -";
	return NULL;
}

int spec_valid_name(const char *name, struct error *e)
{
	const char *problem = value_name_problem(name);

	if (!problem)
		return 0;
	return error_set(e, VE_E_USAGE, EINVAL, "use that name", NAME_RULE, "%s", problem);
}

#define HOSTNAME_RULE                                                                                                  \
	"use up to 64 of letters, digits and -, in parts of up to 63 with dots between, none starting or ending with " \
	"-"

static const char *hostname_problem(const char *name)
{
	const char *p = name;

	if (strlen(name) > 64)
		return "the host name is longer than 64 bytes";
	for (;;) {
		size_t n = strcspn(p, "."), i;

		if (!n)
			return "a part of the host name is empty";
		if (n > 63)
			return "a part of the host name is longer than 63 bytes";
		if (p[0] == '-' || p[n - 1] == '-')
			return "a part of the host name starts or ends with -";
		for (i = 0; i < n; i++)
			if (!isascii((unsigned char)p[i]) || (!isalnum((unsigned char)p[i]) && p[i] != '-'))
				return "the host name has characters that are not allowed";
		if (!p[n])
			return NULL;
		p += n + 1;
	}
}

static bool is_uuid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t i;

	if (strlen(text) != sizeof(form) - 1)
		return false;
	for (i = 0; form[i]; i++)
		if (form[i] == '-' ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	return true;
}

/* ---- numbers */

static const struct {
	enum spec_type type;
	const char *suffixes; /* each is `step` times the one before */
	int step;
	bool max;         /* the word "max" is allowed */
	const char *form; /* what to write */
} numbers[] = {
	{SPEC_INTEGER, "", 1, false, "a whole number"},
	{SPEC_SIZE, "KMGT", 1024, true, "a size: bytes, or with K, M, G or T, or max"},
	{SPEC_RATE, "kmg", 1000, true, "a rate: bit/s, or with k, m or g, or max"},
	{SPEC_SECONDS, "", 1, false, "a whole number of seconds"},
	{SPEC_COUNT, "", 1, true, "a whole number, or max"},
	{SPEC_PERCENT, "", 1, false, "per cent: 150%"},
};

static int find_number_type(enum spec_type type)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i].type == type)
			return (int)i;
	return -1;
}

/* 0; -EINVAL: not of that form; -ERANGE: beyond 64 bits. */
static int parse_number(int kind, const char *text, int64_t *ret)
{
	const char *p = text, *s, *suffix;
	bool negative = *p == '-', beyond = false;
	int64_t n = 0;

	p += negative;
	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++)
		beyond |= __builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n);
	if (*p == '%' && numbers[kind].type == SPEC_PERCENT)
		p++;
	suffix = *p ? strchr(numbers[kind].suffixes, *p) : NULL;
	for (s = numbers[kind].suffixes; suffix && s <= suffix; s++)
		beyond |= __builtin_mul_overflow(n, numbers[kind].step, &n);
	p += suffix != NULL;
	if (*p)
		return -EINVAL;
	if (beyond)
		return -ERANGE;
	*ret = negative ? -n : n;
	return 0;
}

static int set_number(const struct place *at, const char *path, const char *text, struct value *v)
{
	const struct spec_key *row = v->row;
	int kind = find_number_type(row->type), r;
	char words[48];
	int64_t n;

	if (numbers[kind].max && !strcmp(text, "max")) {
		v->integer = SPEC_MAX;
		v->text = strdup("max");
		return v->text ? 0 : spec_fail_memory(at);
	}
	r = parse_number(kind, text, &n);
	if (r == -EINVAL)
		return spec_fail(
			at, path, VE_E_SPEC, 0, "correct the value", "`%.64s` is not %s", text, numbers[kind].form);
	if (r < 0 || n < row->min || n > row->max) {
		if (row->max == INT64_MAX - 1)
			snprintf(words, sizeof(words), "give %lld or more", (long long)row->min);
		else
			snprintf(words, sizeof(words), "give %lld to %lld", (long long)row->min, (long long)row->max);
		return spec_fail(at, path, VE_E_SPEC, ERANGE, words, "%.64s is out of range", text);
	}
	if (!strcmp(row->key, "userns.base") && n % 65536 != 0)
		return spec_fail(
			at, path, VE_E_SPEC, 0, "give a multiple of 65536", "%.64s is not a multiple of 65536", text);
	v->integer = n;
	if (asprintf(&v->text, row->type == SPEC_PERCENT ? "%lld%%" : "%lld", (long long)n) < 0) {
		v->text = NULL;
		return spec_fail_memory(at);
	}
	return 0;
}

/* ---- signals */

/* Guests count real-time signals as glibc does, which keeps 32 and 33; the C library that this is built with may not.
 */
enum { GUEST_RTMIN = 34, GUEST_RTMAX = 64 };

static const struct {
	const char *name;
	int number;
} signals[] = {
	{"HUP", SIGHUP},
	{"INT", SIGINT},
	{"QUIT", SIGQUIT},
	{"ILL", SIGILL},
	{"TRAP", SIGTRAP},
	{"ABRT", SIGABRT},
	{"BUS", SIGBUS},
	{"FPE", SIGFPE},
	{"KILL", SIGKILL},
	{"USR1", SIGUSR1},
	{"SEGV", SIGSEGV},
	{"USR2", SIGUSR2},
	{"PIPE", SIGPIPE},
	{"ALRM", SIGALRM},
	{"TERM", SIGTERM},
	{"STKFLT", SIGSTKFLT},
	{"CHLD", SIGCHLD},
	{"CONT", SIGCONT},
	{"STOP", SIGSTOP},
	{"TSTP", SIGTSTP},
	{"TTIN", SIGTTIN},
	{"TTOU", SIGTTOU},
	{"URG", SIGURG},
	{"XCPU", SIGXCPU},
	{"XFSZ", SIGXFSZ},
	{"VTALRM", SIGVTALRM},
	{"PROF", SIGPROF},
	{"WINCH", SIGWINCH},
	{"IO", SIGIO},
	{"PWR", SIGPWR},
	{"SYS", SIGSYS},
};

/* Digits alone, of at most three places; -1 otherwise. */
static int small_number(const char *text)
{
	size_t n = strlen(text);

	return n > 0 && n < 4 && strspn(text, "0123456789") == n ? atoi(text) : -1;
}

static int signal_number(const char *text)
{
	int n = small_number(text);
	size_t i;

	if (n >= 0)
		return n >= 1 && n <= GUEST_RTMAX ? n : -ERANGE;
	if (!strncmp(text, "SIG", 3))
		text += 3;
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		if (!strcmp(signals[i].name, text))
			return signals[i].number;
	if (!strncmp(text, "RTMIN", 5)) {
		n = !text[5] ? 0 : text[5] == '+' ? small_number(text + 6) : -1;
		return n < 0 ? -EINVAL : n > GUEST_RTMAX - GUEST_RTMIN ? -ERANGE : GUEST_RTMIN + n;
	}
	if (!strncmp(text, "RTMAX", 5)) {
		n = !text[5] ? 0 : text[5] == '-' ? small_number(text + 6) : -1;
		return n < 0 ? -EINVAL : n > GUEST_RTMAX - GUEST_RTMIN ? -ERANGE : GUEST_RTMAX - n;
	}
	return -EINVAL;
}

static int set_signal(const struct place *at, const char *path, const char *text, struct value *v)
{
	int n = signal_number(text);
	char name[32];
	size_t i;

	if (n == -ERANGE)
		return spec_fail(at, path, VE_E_SPEC, ERANGE, "give 1 to 64, or SIGRTMIN to SIGRTMIN+30",
			"signal %.64s is out of range", text);
	if (n < 0)
		return spec_fail(at, path, VE_E_SPEC, 0, "give a name such as SIGTERM or SIGRTMIN+4, or 1 to 64",
			"`%.64s` is not a signal", text);
	snprintf(name, sizeof(name), "%d", n);
	if (n >= GUEST_RTMIN)
		snprintf(name, sizeof(name), n == GUEST_RTMIN ? "SIGRTMIN" : "SIGRTMIN+%d", n - GUEST_RTMIN);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		if (signals[i].number == n)
			snprintf(name, sizeof(name), "SIG%s", signals[i].name);
	v->integer = n;
	v->text = strdup(name);
	return v->text ? 0 : spec_fail_memory(at);
}

/* ---- lists */

int value_split(const char *text, char ***ret, size_t *ret_n)
{
	size_t n = 1, at = 0;
	const char *p;
	char **items;

	for (p = text; *p; p++)
		n += *p == ',';
	items = calloc(n + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	for (p = text;;) {
		char *item = malloc(strlen(p) + 1), *to = item;

		if (!item) {
			value_free_items(items);
			return -ENOMEM;
		}
		for (; *p && *p != ','; p++) {
			if (*p == '\\' && (p[1] == ',' || p[1] == '\\'))
				p++;
			*to++ = *p;
		}
		*to = '\0';
		items[at++] = item;
		if (!*p)
			break;
		p++;
	}
	*ret = items;
	*ret_n = at;
	return 0;
}

static char *join(char *const *items, size_t n)
{
	size_t size = 1, i;
	const char *p;
	char *text, *to;

	for (i = 0; i < n; i++)
		size += strlen(items[i]) * 2 + 1;
	to = text = malloc(size);
	if (!text)
		return NULL;
	for (i = 0; i < n; i++) {
		if (i > 0)
			*to++ = ',';
		for (p = items[i]; *p; p++) {
			if (*p == ',' || *p == '\\')
				*to++ = '\\';
			*to++ = *p;
		}
	}
	*to = '\0';
	return text;
}

static int set_items(const struct place *at, const char *path, char *const *items, size_t n, struct value *v)
{
	const struct spec_key *row = v->row;
	size_t most = row->max > 0 ? (size_t)row->max : SPEC_MAX_ITEMS, i, j;
	char words[128];
	int r;

	if (n == 0)
		return spec_fail(at, path, VE_E_SPEC, 0, at->file ? "remove the key" : "`unset` takes a value away",
			"the list is empty");
	if (n > most)
		return spec_fail(at, path, VE_E_SPEC, E2BIG, "shorten it", "%zu items, where %zu are allowed", n, most);
	v->items = calloc(n + 1, sizeof(*v->items));
	if (!v->items)
		return spec_fail_memory(at);
	for (i = 0; i < n; i++) {
		if (!*items[i])
			return spec_fail(at, path, VE_E_SPEC, 0, "remove it", "item %zu is empty", i + 1);
		r = check_string(at, path, items[i], SPEC_MAX_STRING);
		if (r < 0)
			return r;
		if (row->choices && !is_choice(row->choices, items[i])) {
			choice_words(row->choices, words, sizeof(words));
			return spec_fail(
				at, path, VE_E_SPEC, 0, words, "`%.64s` is none of those that there are", items[i]);
		}
		for (j = 0; row->choices && j < i; j++)
			if (!strcmp(items[i], items[j]))
				return spec_fail(at, path, VE_E_SPEC, EEXIST, "remove one of the two",
					"`%.64s` is there twice", items[i]);
		v->items[i] = strdup(items[i]);
		if (!v->items[i])
			return spec_fail_memory(at);
	}
	v->text = join(v->items, n);
	return v->text ? 0 : spec_fail_memory(at);
}

static int set_split(const struct place *at, const char *path, const char *text, struct value *v)
{
	char **items;
	size_t n;
	int r = value_split(text, &items, &n);

	if (r < 0)
		return spec_fail_memory(at);
	r = set_items(at, path, items, n, v);
	value_free_items(items);
	return r;
}

/* ---- words */

static int set_bool(const struct place *at, const char *path, const char *text, struct value *v)
{
	bool yes = is_choice("true|yes|on", text);

	if (!yes && !is_choice("false|no|off", text))
		return spec_fail(at, path, VE_E_SPEC, 0, "give true or false", "`%.64s` is not true or false", text);
	v->integer = yes;
	v->text = strdup(yes ? "true" : "false");
	return v->text ? 0 : spec_fail_memory(at);
}

static int set_word(const struct place *at, const char *path, const char *text, struct value *v)
{
	const struct spec_key *row = v->row;
	const char *problem;
	char words[128];
	char *p;

	switch (row->type) {
	case SPEC_NAME:
		problem = value_name_problem(text);
		if (problem)
			return spec_fail(at, path, VE_E_SPEC, 0, NAME_RULE, "%s", problem);
		break;
	case SPEC_HOSTNAME:
		problem = hostname_problem(text);
		if (problem)
			return spec_fail(at, path, VE_E_SPEC, 0, HOSTNAME_RULE, "%s", problem);
		break;
	case SPEC_UUID:
		if (!is_uuid(text))
			return spec_fail(at, path, VE_E_SPEC, 0, "write it as 8-4-4-4-12 hexadecimal digits",
				"`%.64s` is not a UUID", text);
		break;
	case SPEC_PATH:
		if (text[0] != '/')
			return spec_fail(
				at, path, VE_E_SPEC, 0, "start it with /", "`%.64s` is not an absolute path", text);
		break;
	case SPEC_ENUM:
		choice_words(row->choices, words, sizeof(words));
		if (!is_choice(row->choices, text))
			return spec_fail(at, path, VE_E_SPEC, 0, "correct the value", "`%.64s` is not %s", text, words);
		break;
	default:
		break;
	}
	v->text = strdup(text);
	if (!v->text)
		return spec_fail_memory(at);
	for (p = v->text; row->type == SPEC_UUID && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return 0;
}

/* ---- the whole */

/* What stands for `*` in the path: a name, or the rest of the path. */
static int check_names(const struct place *at, const struct spec_key *row, const char *whole)
{
	const char *key = row->key, *path = whole;

	for (;;) {
		size_t k = spec_component(key), p = spec_component(path);

		if (k == 1 && *key == '*' && row->flags & SPEC_FREE_KEY) {
			size_t n = strlen(path);

			if (!json_is_utf8(path, n) || has_control(path) || strpbrk(path, "= "))
				return spec_fail(at, whole, VE_E_SPEC, 0, "rename it",
					"=, blanks and control characters cannot be in a key");
			/* `labels.a-=x` takes x away from a list labels.a, and would be read so. */
			if (path[n - 1] == '+' || path[n - 1] == '-')
				return spec_fail(at, whole, VE_E_SPEC, 0, "rename it", "a key cannot end with + or -");
			return 0;
		}
		if (k == 1 && *key == '*' &&
			(p > SPEC_MAX_NAME ||
				strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") < p))
			return spec_fail(at, whole, VE_E_SPEC, 0, "use up to 32 letters, digits, _ and -",
				"`%.*s` cannot be a name", (int)(p > 64 ? 64 : p), path);
		if (!key[k])
			return 0;
		key += k + 1;
		path += p + 1;
	}
}

/* Which row, and whether it may be set. Fills v->row and v->path. */
static int begin(const struct place *at, const char *path, struct value *v)
{
	const struct spec_key *row = spec_find_key(path);
	char words[SPEC_MAX_PATH + 64];
	int r;

	if (!row && spec_is_group(path)) {
		snprintf(words, sizeof(words), "give one of them: `vectl set NAME %.64s.KEY=VALUE`", path);
		return spec_fail(at, path, VE_E_SPEC, 0, words, "it stands for several keys");
	}
	if (!row)
		return spec_fail_unknown(at, path);
	if (row->flags & SPEC_UNSUPPORTED & ~at->allow)
		return spec_fail(at, path, VE_E_UNSUPPORTED, EOPNOTSUPP, at->file ? "remove it" : "leave it out",
			"known, but not carried out by this version");
	if (row->flags & SPEC_READONLY & ~at->allow)
		return spec_fail(at, path, VE_E_SPEC, EROFS, "leave it out", "fixed when the VE is created");
	if (strlen(path) >= SPEC_MAX_PATH)
		return spec_fail(
			at, path, VE_E_SPEC, 0, "shorten it", "the key is longer than %d bytes", SPEC_MAX_PATH - 1);
	r = check_names(at, row, path);
	if (r < 0)
		return r;
	v->row = row;
	v->path = strdup(path);
	return v->path ? 0 : spec_fail_memory(at);
}

static int check_carried(const struct place *at, const struct value *v)
{
	size_t i;

	for (i = 0; !(at->allow & SPEC_UNSUPPORTED) && i < ARRAY_SIZE(partly); i++) {
		if (strcmp(partly[i].key, v->row->key) != 0 || is_choice(partly[i].carried, v->text))
			continue;
		if (partly[i].wrong)
			return spec_fail(
				at, v->path, VE_E_UNSUPPORTED, EOPNOTSUPP, partly[i].remedy, "%s", partly[i].wrong);
		return spec_fail(at, v->path, VE_E_UNSUPPORTED, EOPNOTSUPP, partly[i].remedy,
			"`%.64s` is known, but not carried out by this version", v->text);
	}
	return 0;
}

static int set_text(const struct place *at, const char *path, const char *text, struct value *v)
{
	const struct spec_key *row = v->row;
	/* A list's items are measured one by one. */
	size_t max = row->type == SPEC_LIST ? SIZE_MAX : SPEC_MAX_STRING;
	int r;

	if (row->type == SPEC_STRING && row->max > 0)
		max = (size_t)row->max;
	r = check_string(at, path, text, max);
	if (r < 0)
		return r;
	switch (row->type) {
	case SPEC_BOOL:
		return set_bool(at, path, text, v);
	case SPEC_LIST:
		return set_split(at, path, text, v);
	case SPEC_SIGNAL:
		return set_signal(at, path, text, v);
	default:
		return find_number_type(row->type) >= 0 ? set_number(at, path, text, v) : set_word(at, path, text, v);
	}
}

static int finish(const struct place *at, struct value *v, int r, struct value *ret)
{
	if (r >= 0)
		r = check_carried(at, v);
	if (r < 0) {
		value_clear(v);
		return r;
	}
	*ret = *v;
	return 0;
}

int value_from_text(const struct place *at, const char *path, const char *text, struct value *ret)
{
	struct value v = {0};
	int r = begin(at, path, &v);

	return finish(at, &v, r < 0 ? r : set_text(at, path, text, &v), ret);
}

int value_from_items(const struct place *at, const char *path, char *const *items, size_t n, struct value *ret)
{
	struct value v = {0};
	int r = begin(at, path, &v);

	return finish(at, &v, r < 0 ? r : set_items(at, path, items, n, &v), ret);
}

/* ---- from JSON */

static const char *const json_words[] = {
	[JSON_NULL] = "null",
	[JSON_BOOL] = "true or false",
	[JSON_INTEGER] = "a number",
	[JSON_DOUBLE] = "a number with a fraction or exponent",
	[JSON_STRING] = "a string",
	[JSON_OBJECT] = "an object",
	[JSON_ARRAY] = "an array",
};

static const char *expected_words(const struct spec_key *row)
{
	int kind = find_number_type(row->type);

	return kind >= 0                  ? numbers[kind].form
	       : row->type == SPEC_SIGNAL ? "a signal's name or number"
	       : row->type == SPEC_BOOL   ? "true or false"
	       : row->type == SPEC_LIST   ? "an array of strings"
					  : "a string";
}

static int wrong_type(const struct place *at, const char *path, const struct spec_key *row, const struct json *json)
{
	return spec_fail(at, path, VE_E_SPEC, 0, json->type == JSON_NULL ? "remove the key" : "correct the value",
		"wrong type: %s is expected, and this is %s", expected_words(row), json_words[json->type]);
}

static int set_array(const struct place *at, const char *path, const struct json *json, struct value *v)
{
	cleanup_free char **items = NULL;
	const struct json *j;
	size_t n = 0, i = 0;

	for (j = json->child; j; j = j->next)
		n++;
	items = calloc(n + 1, sizeof(*items));
	if (!items)
		return spec_fail_memory(at);
	for (j = json->child; j; j = j->next) {
		struct place item = *at;

		item.line = j->line;
		item.column = j->column;
		if (j->type != JSON_STRING)
			return wrong_type(&item, path, v->row, j);
		items[i++] = j->string;
	}
	return set_items(at, path, items, n, v);
}

static int set_json(const struct place *at, const char *path, const struct json *json, struct value *v)
{
	const struct spec_key *row = v->row;
	bool numeric = find_number_type(row->type) >= 0 || row->type == SPEC_SIGNAL;

	switch (json->type) {
	case JSON_ARRAY:
		return row->type == SPEC_LIST ? set_array(at, path, json, v) : wrong_type(at, path, row, json);
	case JSON_BOOL:
		return row->type == SPEC_BOOL ? set_text(at, path, json->integer ? "true" : "false", v)
					      : wrong_type(at, path, row, json);
	case JSON_STRING:
		return row->type == SPEC_LIST || row->type == SPEC_BOOL ? wrong_type(at, path, row, json)
									: set_text(at, path, json->string, v);
	case JSON_DOUBLE:
		/* One that is whole is only too long for 64 bits, and is then out of range, not of the wrong type. */
		return numeric && !strpbrk(json->string, ".eE") ? set_text(at, path, json->string, v)
								: wrong_type(at, path, row, json);
	case JSON_INTEGER:
		return numeric ? set_text(at, path, json->string, v) : wrong_type(at, path, row, json);
	default:
		return wrong_type(at, path, row, json);
	}
}

/* `at` is the value's place; complaints about the key itself have the key's. */
int value_from_json(const struct place *at, const char *path, const struct json *json, struct value *ret)
{
	struct place key = *at;
	struct value v = {0};
	int r;

	key.line = json->key_line;
	key.column = json->key_column;
	r = begin(&key, path, &v);
	return finish(at, &v, r < 0 ? r : set_json(at, path, json, &v), ret);
}
