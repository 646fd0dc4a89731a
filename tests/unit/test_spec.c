/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/spec/internal.h"
#include "tests/unit/spec_text.h"

enum { ANY = SPEC_UNSUPPORTED | SPEC_READONLY };

static struct spec *parse(const char *text, unsigned allow)
{
	struct spec *s = NULL;
	struct error e = {0};

	cr_assert_eq(spec_parse_allow(text, strlen(text), "ve.json", allow, &s, &e), 0, "%s: %s", text, e.wrong);
	return s;
}

static void set_any(struct spec *s, const char *path, const char *text)
{
	struct error e = {0};
	struct place at = {.tried = "set", .error = &e, .allow = ANY};
	struct value v;

	cr_assert_eq(value_from_text(&at, path, text, &v), 0, "%s=%s: %s", path, text, e.wrong);
	cr_assert_eq(spec_store(s, &at, &v), 0);
}

/* The n-th of words with '\n' between; the last where there are fewer. */
static void sample(char *buf, size_t size, const char *words, size_t n)
{
	for (; n > 0 && strchr(words, '\n'); n--)
		words = strchr(words, '\n') + 1;
	snprintf(buf, size, "%.*s", (int)strcspn(words, "\n"), words);
}

/* The row's key with a name in place of `*`: the n-th that fits. */
static void make_path(char *buf, size_t size, const struct spec_key *row, size_t n)
{
	const struct spec_format *form = spec_trait(row)->name;
	const char *star = strchr(row->key, '*');
	char name[128];

	sample(name, sizeof(name), form ? form->good : "zz\na\nm0\na-b", n);
	if (star)
		snprintf(buf, size, "%.*s%s%s", (int)(star - row->key), row->key, name, star + 1);
	else
		snprintf(buf, size, "%s", row->key);
}

/* Values that such a row takes, in canonical form, `\n` between. */
static void make_values(char *buf, size_t size, const struct spec_key *row)
{
	static const char *const by_type[] = {
		[SPEC_STRING] = "x\ny",
		[SPEC_NAME] = "web1\n101",
		[SPEC_HOSTNAME] = "web1.example.org\nA",
		[SPEC_UUID] = "01234567-89ab-cdef-0123-456789abcdef",
		[SPEC_PATH] = "/\n/a b/\xc3\xa9\"",
		[SPEC_BOOL] = "true\nfalse",
		[SPEC_LIST] = "one\none,two\na\\,b,c\\\\",
		[SPEC_SIGNAL] = "SIGTERM\nSIGRTMIN\nSIGRTMIN+30\n32\nSIGHUP",
	};
	const struct spec_format *form = spec_trait(row)->value;
	char *p;

	switch (row->type) {
	case SPEC_INTEGER:
	case SPEC_SECONDS:
		snprintf(buf, size, "%lld\n%lld", (long long)row->min, (long long)row->max);
		break;
	case SPEC_PERCENT:
		snprintf(buf, size, "%lld%%\n%lld%%", (long long)row->min, (long long)row->max);
		break;
	case SPEC_SIZE:
	case SPEC_RATE:
	case SPEC_COUNT:
		snprintf(buf, size, "%lld\n%lld\nmax", (long long)row->min, (long long)row->max);
		break;
	default:
		snprintf(buf, size, "%s", form ? form->good : row->choices ? row->choices : by_type[row->type]);
	}
	for (p = buf; row->choices && *p; p++)
		if (*p == '|')
			*p = '\n';
}

static void round_trip(const struct spec *s)
{
	cleanup_free char *first = write_out(s), *second = NULL;
	cleanup_spec struct spec *again = parse(first, ANY);
	size_t i;

	second = write_out(again);
	cr_expect_str_eq(second, first);
	cr_assert_eq(again->n, s->n, "%s", first);
	for (i = 0; i < s->n; i++) {
		cr_expect_str_eq(again->values[i].path, s->values[i].path);
		cr_expect_str_eq(again->values[i].text, s->values[i].text);
		cr_expect_eq(again->values[i].integer, s->values[i].integer);
	}
}

Test(spec, table_is_sound)
{
	const struct spec_key *row, *other;

	for (row = spec_keys; row->key; row++) {
		const char *dot = strchr(row->key, '.');
		struct spec *s = spec_new();

		cr_expect(row->doc && strlen(row->doc) > 10 && row->doc[strlen(row->doc) - 1] == '.', "%s", row->key);
		cr_expect((row->type == SPEC_ENUM) <= (row->choices != NULL), "%s", row->key);
		cr_expect(row->min <= row->max, "%s", row->key);
		cr_expect_not(
			row->flags & SPEC_FREE_KEY && strcmp(row->key + strlen(row->key) - 2, ".*"), "%s", row->key);
		if (row->fallback) { /* canonical, and no list */
			cr_expect_neq(row->type, SPEC_LIST);
			set_any(s, row->key, row->fallback);
			cr_expect_str_eq(spec_string(s, row->key), row->fallback);
		}
		spec_free(s);
		for (other = spec_keys; other < row; other++) {
			size_t n = dot ? (size_t)(dot - row->key) + 1 : 0;

			cr_expect_str_neq(row->key, other->key);
			/* Rows of one group stand together: writing relies on it. */
			if (n && !strncmp(other->key, row->key, n))
				cr_expect_eq(strncmp(row[-1].key, row->key, n), 0, "%s", row->key);
		}
	}
}

Test(spec, every_row_has_an_example)
{
	const struct spec_trait *t;
	const struct spec_key *row;
	char path[SPEC_MAX_PATH];

	for (row = spec_keys; row->key; row++) {
		const struct spec_trait *trait = spec_trait(row);
		const char *star = strchr(row->key, '*');
		cleanup_spec struct spec *s = spec_new();

		cr_assert(trait->key && trait->example, "%s has no row in spec_traits", row->key);
		cr_assert(!star || trait->example_name, "%s", row->key);
		snprintf(path, sizeof(path), "%.*s%s%s", (int)strcspn(row->key, "*"), row->key,
			star ? trait->example_name : "", star ? star + 1 : "");
		set_any(s, path, trait->example);
	}
	for (t = spec_traits; t->key; t++) {
		for (row = spec_keys; row->key && spec_trait(row) != t; row++)
			;
		cr_expect(row->key, "%s: a trait of no key", t->key);
	}
}

static int set_value(const char *path, const char *text, char *ret_text, size_t size, struct error *e)
{
	struct place at = {.tried = "set", .error = e, .allow = ANY};
	struct value v;
	int r = value_from_text(&at, path, text, &v);

	if (r < 0)
		return r;
	snprintf(ret_text, size, "%s", v.text);
	value_clear(&v);
	return 0;
}

Test(spec, forms)
{
	const struct spec_key *row;
	size_t forms = 0;

	for (row = spec_keys; row->key; row++) {
		const struct spec_format *form = spec_trait(row)->value;
		char path[SPEC_MAX_PATH], text[256], got[512] = "";

		if (!form)
			continue;
		forms++;
		make_path(path, sizeof(path), row, 0);
		for (size_t i = 0; i < 9; i++) {
			const char *words[] = {form->bad, form->odd};

			sample(text, sizeof(text), form->good, i);
			cr_expect_eq(set_value(path, text, got, sizeof(got), NULL), 0, "%s=%s", path, text);
			cr_expect_str_eq(got, text, "%s=%s", path, text);
			for (size_t k = 0; k < 2; k++) {
				struct error e = {0};

				if (!words[k])
					continue;
				sample(text, sizeof(text), words[k], i);
				cr_expect_eq(set_value(path, text, got, sizeof(got), &e), -EINVAL, "%s=%s", path, text);
				cr_expect_eq(e.code, VE_E_SPEC, "%s=%s", path, text);
				cr_expect(*e.remedy && (strchr(e.wrong, 0x60) || strstr(e.wrong, "bytes long")),
					"%s=%s: %s", path, text, e.wrong);
			}
		}
	}
	cr_expect_gt(forms, 15);
}

Test(spec, canonical_forms)
{
	static const char *const cases[][3] = {
		{"net.eth0.mac", "02:00:5E:10:00:0A", "02:00:5e:10:00:0a"},
		{"net.eth0.ipv6", "2001:DB8:0:0::2/64,fe80::1/10", "2001:db8::2/64,fe80::1/10"},
		{"net.eth0.ports", "8080:80,53:53/udp", "8080:80/tcp,53:53/udp"},
		{"caps.keep", "CAP_SYS_RAWIO,Net_Admin", "sys_rawio,net_admin"},
		{"cpu.set", "0-3,7-7", "0-3,7"},
		{"device.d.mode", "660", "0660"},
		{"device.d.access", "mwr", "rwm"},
		{"dns.search", "example.org.", "example.org"},
		{"mount.m.source", "//srv///data/", "/srv/data"},
		{"mount.m.target", "/a//b", "/a/b"},
	};
	static const char *const refused[][3] = {
		{"net.lo.type=bridge",
			"`lo` is not a name of an interface: the kernel has that name for something else",
			"use up to 15 letters, digits, _ and -: eth0"},
		{"net.eth0.ipv4=10.0.0.2",
			"`10.0.0.2` is not an IPv4 address with prefix length: the prefix length is missing",
			"write 10.0.0.2/24, or auto"},
		{"sysctl.vm.swappiness=1",
			"`vm.swappiness` is not a sysctl of a namespace: it belongs to the host, and to no namespace "
			"of a VE",
			NULL},
		{"hugetlb.3X=1", "`3X` is not a size of huge pages", "write 2M or 1G"},
		{"caps.drop=net_raw,CAP_NET_RAW", "`CAP_NET_RAW` is there twice", "remove one of the two"},
		{"mount.m.source=/srv/../etc", "`..` is in the path", "write the path without it"},
	};
	char got[512];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_expect_eq(set_value(cases[i][0], cases[i][1], got, sizeof(got), NULL), 0, "%s", cases[i][1]);
		cr_expect_str_eq(got, cases[i][2]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct error e = {0};
		char key[64];

		snprintf(key, sizeof(key), "%.*s", (int)strcspn(refused[i][0], "="), refused[i][0]);
		cr_expect_lt(set_value(key, strchr(refused[i][0], '=') + 1, got, sizeof(got), &e), 0);
		cr_expect_str_eq(e.wrong, refused[i][1]);
		if (refused[i][2])
			cr_expect_str_eq(e.remedy, refused[i][2]);
	}
}

Test(spec, every_row_is_found)
{
	const struct spec_key *row;
	char path[SPEC_MAX_PATH];
	size_t i;

	for (row = spec_keys; row->key; row++)
		for (i = 0; i < 4; i++) {
			make_path(path, sizeof(path), row, i);
			cr_expect_eq(spec_find_key(path), row, "%s", path);
		}
	cr_expect_str_eq(spec_find_key("labels.a.b.c")->key, "labels.*");
	cr_expect_null(spec_find_key("labels."));
	cr_expect_null(spec_find_key("labels"));
	cr_expect_null(spec_find_key("net.eth0"));
	cr_expect_null(spec_find_key("net..type"));
	cr_expect_null(spec_find_key("hostname.x"));
	cr_expect_null(spec_find_key("hostnam"));
	cr_expect_null(spec_find_key(""));
	cr_expect(spec_is_group("net") && spec_is_group("net.eth0") && spec_is_group("stop"));
	cr_expect_not(spec_is_group("net.eth0.type") || spec_is_group("") || spec_is_group("sto"));
}

Test(spec, round_trip_of_each_value, .timeout = 60)
{
	const struct spec_key *row;
	char path[SPEC_MAX_PATH], values[512], *value, *rest;

	for (row = spec_keys; row->key; row++) {
		make_path(path, sizeof(path), row, 0);
		make_values(values, sizeof(values), row);
		for (value = strtok_r(values, "\n", &rest); value; value = strtok_r(NULL, "\n", &rest)) {
			cleanup_spec struct spec *s = spec_new();
			cleanup_free char *text = NULL;

			set_any(s, path, value);
			text = spec_text(s, path);
			cr_expect_str_eq(text, value, "%s: %s became %s", path, value, text);
			round_trip(s);
		}
	}
}

Test(spec, round_trip_of_all_at_once)
{
	cleanup_spec struct spec *s = spec_new();
	const struct spec_key *row;
	char path[SPEC_MAX_PATH], values[512], *rest;
	size_t i, n = 0;

	for (i = 0; i < 4; i++)
		for (row = spec_keys; row->key; row++) {
			make_path(path, sizeof(path), row, i);
			make_values(values, sizeof(values), row);
			n += !spec_is_set(s, path);
			set_any(s, path, strtok_r(values, "\n", &rest));
		}
	cr_expect_eq(s->n, n);
	round_trip(s);
	for (i = 1; i < s->n; i++) /* table order, but for what belongs to one name */
		if (!strchr(s->values[i].row->key, '*'))
			cr_expect_lt(s->values[i - 1].row, s->values[i].row);
}

Test(spec, what_is_written)
{
	cleanup_spec struct spec *s = spec_new();
	cleanup_free char *text = NULL;

	set_any(s, "labels.b.c", "2");
	set_any(s, "labels.a", "1");
	set_any(s, "net.eth1.type", "bridge");
	set_any(s, "net.eth0.mtu", "1500");
	set_any(s, "net.eth0.rate_in", "10m");
	set_any(s, "memory.max", "1G");
	set_any(s, "memory.swap", "max");
	set_any(s, "cpu.limit", "150");
	set_any(s, "init", "/sbin/init,a b");
	set_any(s, "privileged", "no");
	set_any(s, "stop.signal", "38");
	set_any(s, "io.sda.riops", "5");
	set_any(s, "io.weight", "7");
	text = write_out(s);
	cr_expect_str_eq(text,
		"{\n  \"format\": 1,\n  \"init\": [\n    \"/sbin/init\",\n    \"a b\"\n  ],\n"
		"  \"privileged\": false,\n  \"cpu\": {\n    \"limit\": \"150%\"\n  },\n"
		"  \"memory\": {\n    \"max\": 1073741824,\n    \"swap\": \"max\"\n  },\n"
		"  \"io\": {\n    \"weight\": 7,\n    \"sda\": {\n      \"riops\": 5\n    }\n  },\n"
		"  \"net\": {\n    \"eth0\": {\n      \"mtu\": 1500,\n      \"rate_in\": 10000000\n    },\n"
		"    \"eth1\": {\n      \"type\": \"bridge\"\n    }\n  },\n"
		"  \"stop\": {\n    \"signal\": \"SIGRTMIN+4\"\n  },\n"
		"  \"labels\": {\n    \"a\": \"1\",\n    \"b.c\": \"2\"\n  }\n}\n");
	round_trip(s);
}

Test(spec, unsupported_rows_are_refused)
{
	const struct spec_key *row;
	char path[SPEC_MAX_PATH], values[512], assignment[1024], *rest;
	unsigned n = 0;

	for (row = spec_keys; row->key; row++) {
		cleanup_spec struct spec *s = spec_new(), *untouched = NULL;
		cleanup_free char *text = NULL;
		struct error e = {0};
		char wrong[SPEC_MAX_PATH + 64];

		if (!(row->flags & SPEC_UNSUPPORTED))
			continue;
		n++;
		make_path(path, sizeof(path), row, 0);
		make_values(values, sizeof(values), row);
		strtok_r(values, "\n", &rest);
		snprintf(assignment, sizeof(assignment), "%s=%s", path, values);
		cr_expect_eq(spec_assign(s, assignment, &e), -EOPNOTSUPP, "%s", assignment);
		cr_expect_eq(e.code, VE_E_UNSUPPORTED);
		cr_expect_str_eq(e.wrong, "known, but not carried out by this version");
		cr_expect_str_eq(e.remedy, "leave it out");
		cr_expect_str_eq(e.subject, path);
		cr_expect_eq(spec_put(s, path, values, NULL), -EOPNOTSUPP);
		cr_expect_eq(s->n, 0);
		set_any(s, path, values);
		text = write_out(s);
		error_clear(&e);
		cr_expect_eq(spec_parse(text, strlen(text), "ve.json", &untouched, &e), -EOPNOTSUPP);
		cr_expect_null(untouched);
		snprintf(wrong, sizeof(wrong), "%s: known, but not carried out by this version", path);
		cr_expect(strstr(e.wrong, wrong), "%s", e.wrong);
		cr_expect_eq(e.code, VE_E_UNSUPPORTED);
		cr_expect_str_eq(e.remedy, "remove it");
	}
	cr_expect_gt(n, 0);
}

static void expect_list(const struct spec *s, const char *key, const char *text)
{
	const char *have = spec_string(s, key);

	cr_assert_not_null(have);
	cr_expect_str_eq(have, text);
}

Test(spec, lists)
{
	cleanup_spec struct spec *s = spec_new();
	const char *const *items;

	cr_expect_null(spec_list(s, "init"));
	cr_assert_eq(spec_assign(s, "init+=/sbin/init", NULL), 0);
	cr_assert_eq(spec_assign(s, "init+=a,b,a,c\\,d", NULL), 0);
	expect_list(s, "init", "/sbin/init,a,b,a,c\\,d");
	items = spec_list(s, "init");
	cr_expect_str_eq(items[4], "c,d");
	cr_expect_null(items[5]);
	cr_assert_eq(spec_assign(s, "init-=a,c\\,d", NULL), 0);
	expect_list(s, "init", "/sbin/init,b");
	cr_expect_eq(spec_assign(s, "init-=b,x", NULL), -ENOENT);
	expect_list(s, "init", "/sbin/init,b");
	cr_assert_eq(spec_assign(s, "init-=b,/sbin/init", NULL), 0);
	cr_expect_not(spec_is_set(s, "init"));
}

Test(spec, values_and_defaults)
{
	cleanup_spec struct spec *s = spec_new();
	cleanup_free char *text = NULL;
	struct error e = {0};

	cr_expect_str_eq(spec_string(s, "network"), "private");
	cr_expect_eq(spec_integer(s, "stop.timeout", 1), 90);
	cr_expect_eq(spec_integer(s, "privileged", 5), 0);
	cr_expect_eq(spec_integer(s, "userns.base", -1), -1);
	cr_expect_eq(spec_integer(s, "no.such", -1), -1);
	cr_expect_null(spec_string(s, "arch"));
	cr_expect_null(spec_text(s, "hostname"));
	cr_assert_eq(spec_assign(s, "stop.timeout=007", &e), 0);
	cr_expect_eq(spec_integer(s, "stop.timeout", 1), 7);
	text = spec_text(s, "stop.timeout");
	cr_expect_str_eq(text, "7");
	cr_assert_eq(spec_put(s, "uuid", "01234567-89AB-CDEF-0123-456789ABCDEF", &e), 0);
	cr_expect_str_eq(spec_string(s, "uuid"), "01234567-89ab-cdef-0123-456789abcdef");
	cr_assert_eq(spec_put(s, "image", "debian/13", &e), 0);
	cr_expect_eq(spec_unset(s, "image", NULL), -EROFS);
	cr_expect_eq(spec_unset(s, "stop.timeout", NULL), 0);
	cr_expect_eq(spec_unset(s, "stop.timeout", NULL), 0);
	cr_expect_not(spec_is_set(s, "stop.timeout"));
	cr_expect_eq(spec_unset(s, "stop.timeou", &e), -EINVAL);
	cr_expect_str_eq(e.remedy, "did you mean `stop.timeout`?");
	cr_expect_str_eq(e.tried, "unset stop.timeou");
	set_any(s, "memory.max", "max");
	cr_expect_eq(spec_integer(s, "memory.max", 0), SPEC_MAX);
	set_any(s, "memory.max", "3T");
	cr_expect_eq(spec_integer(s, "memory.max", 0), (int64_t)3 << 40);
}

Test(spec, unset_of_a_group)
{
	cleanup_spec struct spec *s = spec_new();
	static const char *const paths[] = {"mount.data.source", "mount.data.target", "mount.database.source",
		"labels.a", "labels.b.c", "stop.timeout"};
	struct error e = {0};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		set_any(s, paths[i], paths[i][0] == 's' ? "5" : "/x");
	cr_expect_eq(spec_unset(s, "mount.data", &e), 0);
	cr_expect_not(spec_is_set(s, "mount.data.source") || spec_is_set(s, "mount.data.target"));
	cr_expect(spec_is_set(s, "mount.database.source"));
	cr_expect_eq(spec_unset(s, "mount.data", &e), 0); /* once more does no harm */
	cr_expect_eq(spec_unset(s, "labels", &e), 0);
	cr_expect_eq(s->n, 2);
	cr_expect_eq(spec_unset(s, "mount", &e), 0);
	cr_expect_eq(s->n, 1);
	cr_expect_eq(spec_unset(s, "mont", &e), -EINVAL);
}

Test(spec, the_table_as_a_document)
{
	cleanup_free char *text = NULL;
	cleanup_json struct json *root = NULL;
	const struct spec_key *row = spec_keys;
	struct error e = {0};

	cr_assert_eq(spec_keys_json(&text), 0);
	cr_assert_eq(json_parse(text, strlen(text), "keys", "read", &root, &e), 0, "%s", e.wrong);
	for (const struct json *j = json_get(root, "keys")->child; j; j = j->next, row++) {
		char example[512];

		cr_assert(row->key);
		cr_expect_str_eq(json_string(j, "key"), row->key);
		cr_expect_str_eq(json_string(j, "doc"), row->doc);
		cr_expect_str_neq(json_string(j, "takes"), "");
		cr_assert_eq(spec_example(row, example, sizeof(example)), 0);
		cr_expect_str_eq(json_string(j, "example"), example);
		cr_expect_null(strchr(example, '*'), "%s", example);
	}
	cr_expect_null(row->key);
}

Test(spec, signals)
{
	static const struct {
		const char *text, *canonical;
		int number;
	} cases[] = {
		{"TERM", "SIGTERM", 15},
		{"SIGTERM", "SIGTERM", 15},
		{"15", "SIGTERM", 15},
		{"1", "SIGHUP", 1},
		{"SIGRTMIN+4", "SIGRTMIN+4", 38},
		{"RTMIN+4", "SIGRTMIN+4", 38},
		{"38", "SIGRTMIN+4", 38},
		{"SIGRTMIN", "SIGRTMIN", 34},
		{"RTMAX", "SIGRTMIN+30", 64},
		{"SIGRTMAX-26", "SIGRTMIN+4", 38},
		{"64", "SIGRTMIN+30", 64},
		{"33", "33", 33},
		{"PWR", "SIGPWR", 30},
	};
	cleanup_spec struct spec *s = spec_new();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		set_any(s, "stop.signal", cases[i].text);
		cr_expect_str_eq(spec_string(s, "stop.signal"), cases[i].canonical);
		cr_expect_eq(spec_integer(s, "stop.signal", 0), cases[i].number);
	}
}

static int collect(const char *path, const char *text, void *arg)
{
	FILE *f = arg;

	fprintf(f, "%s=%s ", path, text);
	return !strcmp(path, "labels.b") ? 42 : 0;
}

Test(spec, each_in_order)
{
	cleanup_spec struct spec *s = spec_new();
	char buf[256] = "";
	FILE *f = fmemopen(buf, sizeof(buf), "w");

	set_any(s, "labels.c", "3");
	set_any(s, "labels.b", "2");
	set_any(s, "labels.a", "1");
	set_any(s, "hostname", "h");
	cr_expect_eq(spec_each(s, collect, f), 42);
	fclose(f);
	cr_expect_str_eq(buf, "hostname=h labels.a=1 labels.b=2 ");
}

Test(spec, names)
{
	static const char *const good[] = {"a", "101", "a-b", "web1", "0", NULL};
	static const char *const bad[] = {
		"", "-", "a-", "-a", "A", "a/b", "..", ".", "a b", "a_b", "\xc3\xa9", "a\n", NULL};
	struct error e = {0};
	char name[80];
	size_t i;

	for (i = 0; good[i]; i++)
		cr_expect_eq(spec_valid_name(good[i], &e), 0, "%s", good[i]);
	for (i = 0; bad[i]; i++)
		cr_expect_eq(spec_valid_name(bad[i], &e), -EINVAL, "%s", bad[i]);
	cr_expect_eq(e.code, VE_E_USAGE);
	snprintf(name, sizeof(name), "%063d", 0);
	cr_expect_eq(spec_valid_name(name, NULL), 0);
	snprintf(name, sizeof(name), "%064d", 0);
	cr_expect_eq(spec_valid_name(name, NULL), -EINVAL);
}

Test(spec, nearest)
{
	cr_expect_str_eq(spec_nearest_key("hostnam"), "hostname");
	cr_expect_str_eq(spec_nearest_key("hsotname"), "hostname");
	cr_expect_str_eq(spec_nearest_key("net.eth0.ipv5"), "net.*.ipv4");
	cr_expect_str_eq(spec_nearest_key("lables.a.b"), "labels.*");
	cr_expect_str_eq(spec_nearest_key("sysctrl.net.ipv4.ip_forward"), "sysctl.*");
	cr_expect_str_eq(spec_nearest_key("timeout"), "stop.timeout");
	cr_expect_null(spec_nearest_key("something else"));
	cr_expect_null(spec_nearest_key(""));
}

Test(spec, between_keys)
{
	cleanup_spec struct spec *s = spec_new();
	struct error e = {0};

	set_any(s, "memory.high", "2G");
	cr_expect_eq(spec_check(s, &e), 0);
	set_any(s, "memory.max", "1G");
	cr_expect_eq(spec_check(s, &e), -ERANGE);
	cr_expect_str_eq(e.wrong, "memory.high (2147483648) is above memory.max (1073741824)");
	set_any(s, "memory.max", "max");
	error_clear(&e);
	cr_expect_eq(spec_check(s, &e), 0);
}

Test(spec, schema_and_list)
{
	cleanup_free char *schema = NULL;
	cleanup_json struct json *j = NULL;
	struct error e = {0};
	const struct json *properties;
	const struct spec_key *row;

	cr_assert_eq(spec_schema(&schema, &e), 0);
	cr_assert_eq(json_parse(schema, strlen(schema), "schema", "read it", &j, &e), 0, "%s", e.wrong);
	properties = json_get(j, "properties");
	for (row = spec_keys; row->key; row++)
		if (!strchr(row->key, '.'))
			cr_expect_eq(json_get(properties, row->key) != NULL, !(row->flags & SPEC_UNSUPPORTED), "%s",
				row->key);
	cr_expect_str_eq(
		json_string(json_get(json_get(json_get(properties, "stop"), "properties"), "timeout"), "description"),
		spec_find_key("stop.timeout")->doc);
}
