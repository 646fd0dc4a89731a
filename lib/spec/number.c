/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers and signals. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/spec/internal.h"

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

int value_number_kind(enum spec_type type)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i].type == type)
			return (int)i;
	return -1;
}

const char *value_number_form(int kind)
{
	return numbers[kind].form;
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

int value_set_number(const struct place *at, const char *path, const char *text, struct value *v)
{
	const struct spec_key *row = v->row;
	int kind = value_number_kind(row->type), r;
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

int value_set_signal(const struct place *at, const char *path, const char *text, struct value *v)
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
