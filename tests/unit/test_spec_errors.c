/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is refused, in which words; and that nothing has changed then. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/spec/internal.h"
#include "tests/unit/spec_text.h"

Test(spec_errors, parse_errors)
{
	static const struct {
		const char *text;
		int code;
		const char *wrong, *remedy;
	} cases[] = {
		{"{\"format\":1,\n  \"hostnam\":\"x\"}", VE_E_SPEC, "ve.json:2:3: hostnam: there is no such key",
			"did you mean `hostname`?"},
		{"{\"format\":1,\n \"memory\": {\n  \"max\": 5}}", VE_E_UNSUPPORTED,
			"ve.json:3:3: memory.max: known, but not carried out by this version", "remove it"},
		{"{\"format\":1,\"memry\":{\"max\":1}}", VE_E_SPEC, "ve.json:1:13: memry.max: there is no such key",
			"did you mean `memory.max`?"},
		{"{\"format\":1,\"stop\":{\"timeot\":1}}", VE_E_SPEC, "ve.json:1:21: stop.timeot: there is no such key",
			"did you mean `stop.timeout`?"},
		{"{\"format\":1,\"net\":{\"eth0\":{\"typ\":\"x\"}}}", VE_E_SPEC,
			"ve.json:1:28: net.eth0.typ: there is no such key", "did you mean `net.eth0.type`?"},
		{"{\"format\":1,\"bogus\":[]}", VE_E_SPEC, "ve.json:1:13: bogus: there is no such key",
			"`man ve.json` has the keys"},
		{"{}", VE_E_SPEC, "ve.json:1:1: format: it is missing", "add \"format\": 1"},
		{"{\"format\": 2}", VE_E_SPEC, "ve.json:1:12: format: 2 is not a format that this version reads",
			"use a later version of vectl, or write \"format\": 1"},
		{"{\"format\": 0}", VE_E_SPEC, "ve.json:1:12: format: 0 is not a format that this version reads",
			"write \"format\": 1"},
		{"{\"format\": \"1\"}", VE_E_SPEC, "ve.json:1:12: format: wrong type: a whole number is expected",
			"write \"format\": 1"},
		{"[1]", VE_E_SPEC, "ve.json:1:1: wrong type: an object is expected", "start with {\"format\": 1"},
		{"{\"format\":1,\"stop\":{\"timeout\":0}}", VE_E_SPEC, "ve.json:1:31: stop.timeout: 0 is out of range",
			"give 1 to 86400"},
		{"{\"format\":1,\"stop\":{\"timeout\":99999999999999999999}}", VE_E_SPEC,
			"ve.json:1:31: stop.timeout: 99999999999999999999 is out of range", "give 1 to 86400"},
		{"{\"format\":1,\"stop\":{\"timeout\":1.5}}", VE_E_SPEC,
			"ve.json:1:31: stop.timeout: wrong type: a whole number of seconds is expected, and this is a "
			"number with "
			"a fraction or exponent",
			"correct the value"},
		{"{\"format\":1,\"stop\":{\"timeout\":[9]}}", VE_E_SPEC,
			"ve.json:1:31: stop.timeout: wrong type: a whole number of seconds is expected, and this is an "
			"array",
			"correct the value"},
		{"{\"format\":1,\"stop\":{\"timeout\":{}}}", VE_E_SPEC,
			"ve.json:1:31: stop.timeout: wrong type: a whole number of seconds is expected, and this is an "
			"object",
			"correct the value"},
		{"{\"format\":1,\"hostname\":5}", VE_E_SPEC,
			"ve.json:1:24: hostname: wrong type: a string is expected, and this is a number",
			"correct the value"},
		{"{\"format\":1,\"hostname\":null}", VE_E_SPEC,
			"ve.json:1:24: hostname: wrong type: a string is expected, and this is null", "remove the key"},
		{"{\"format\":1,\"hostname\":\"\"}", VE_E_SPEC, "ve.json:1:24: hostname: the value is empty",
			"remove the key"},
		{"{\"format\":1,\"privileged\":\"false\"}", VE_E_SPEC,
			"ve.json:1:26: privileged: wrong type: true or false is expected, and this is a string",
			"correct the value"},
		{"{\"format\":1,\"network\":\"hst\"}", VE_E_SPEC,
			"ve.json:1:23: network: `hst` is not private, none or host", "correct the value"},
		{"{\"format\":1,\"seccomp\":\"/etc/x\"}", VE_E_UNSUPPORTED,
			"ve.json:1:23: seccomp: `/etc/x` is known, but not carried out by this version", "use default"},
		{"{\"format\":1,\"storage\":\"btrfs\"}", VE_E_UNSUPPORTED,
			"ve.json:1:23: storage: `btrfs` is known, but not carried out by this version", "use overlay"},
		{"{\"format\":1,\"init\":\"/sbin/init\"}", VE_E_SPEC,
			"ve.json:1:20: init: wrong type: an array of strings is expected, and this is a string",
			"correct the value"},
		{"{\"format\":1,\"init\":[\"a\",\n5]}", VE_E_SPEC,
			"ve.json:2:1: init: wrong type: an array of strings is expected, and this is a number",
			"correct the value"},
		{"{\"format\":1,\"init\":[]}", VE_E_SPEC, "ve.json:1:20: init: the list is empty", "remove the key"},
		{"{\"format\":1,\"init\":[\"a\",\"\"]}", VE_E_SPEC, "ve.json:1:20: init: item 2 is empty", "remove it"},
		{"{\"format\":1,\"init\":[\"a\\nb\"]}", VE_E_SPEC,
			"ve.json:1:20: init: a control character is in the value", "remove it"},
		{"{\"format\":1,\"env\":{\"A\":\"\\u009b31m\"}}", VE_E_SPEC,
			"ve.json:1:24: env.A: a control character is in the value", "remove it"},
		{"{\"format\":1,\"env\":{\"A=B\":\"x\"}}", VE_E_SPEC,
			"ve.json:1:20: env.A=B: =, blanks and control characters cannot be in a key", "rename it"},
		{"{\"format\":1,\"labels\":{\"a-\":\"x\"}}", VE_E_SPEC,
			"ve.json:1:23: labels.a-: a key cannot end with + or -", "rename it"},
		{"{\"format\":1,\"stop.timeout\":5}", VE_E_SPEC,
			"ve.json:1:13: stop.timeout: a dotted key is written as nested objects",
			"write \"stop\": {\"timeout\": ...}"},
		{"{\"format\":1,\"stop\":5}", VE_E_SPEC, "ve.json:1:20: stop: wrong type: an object is expected",
			"write {\"KEY\": VALUE}"},
		{"{\"format\":1,\"name\":\"A\"}", VE_E_SPEC,
			"ve.json:1:20: name: the name has characters that are not allowed",
			"use 1 to 63 of a-z 0-9 -, first and last a letter or digit"},
		{"{\"format\":1,\"uuid\":\"x\"}", VE_E_SPEC, "ve.json:1:20: uuid: `x` is not a UUID",
			"write it as 8-4-4-4-12 hexadecimal digits"},
		{"{\"format\":1,\n\"hostname\":\"a\",\n\"hostname\":\"b\"}", VE_E_SPEC,
			"ve.json:3:1: `hostname` is there twice, first at line 2, column 1", "remove one of the two"},
		{"{\"format\":1", VE_E_SPEC, "ve.json:1:12: not valid JSON: it ends too early", "correct it there"},
		{"[[[[[[[[[[[[[[[[[[[[", VE_E_SPEC, "ve.json:1:17: nested deeper than 16 levels", "nest less"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spec *untouched = (struct spec *)cases, *s = untouched;
		struct error e = {0};

		cr_expect_lt(
			spec_parse(cases[i].text, strlen(cases[i].text), "ve.json", &s, &e), 0, "%s", cases[i].text);
		cr_expect_eq(e.code, cases[i].code, "%s", cases[i].text);
		cr_expect_str_eq(e.wrong, cases[i].wrong);
		cr_expect_str_eq(e.remedy, cases[i].remedy);
		cr_expect_str_eq(e.tried, "read the spec");
		cr_expect_eq(s, untouched);
	}
}

Test(spec_errors, huge_and_long)
{
	size_t n = JSON_MAX_BYTES + 1;
	cleanup_free char *text = malloc(n);
	cleanup_spec struct spec *s = NULL;
	struct error e = {0};
	size_t i, at;

	memset(text, ' ', n);
	cr_expect_eq(spec_parse(text, n, "ve.json", &s, &e), -EFBIG);
	cr_expect_str_eq(e.wrong, "ve.json:1:1: 1048577 bytes, where at most 1048576 are read");
	cr_expect_eq(e.code, VE_E_SPEC);
	error_clear(&e);
	at = (size_t)sprintf(text, "{\"format\":1,\"%0500d\":1}", 0);
	cr_expect_eq(spec_parse(text, at, "ve.json", &s, &e), -EINVAL);
	cr_expect_str_eq(e.wrong, "ve.json:1:13: a key longer than 319 bytes");
	error_clear(&e);
	at = (size_t)sprintf(text, "{\"format\":1,\"env\":{\"A\":\"%04097d\"}}", 0);
	cr_expect_eq(spec_parse(text, at, "ve.json", &s, &e), -EINVAL);
	cr_expect_str_eq(e.wrong, "ve.json:1:24: env.A: 4097 bytes long, where 4096 are allowed");
	error_clear(&e);
	at = (size_t)sprintf(text, "{\"format\":1,\"labels\":{\"z\":\"z\"");
	for (i = 0; i < SPEC_MAX_VALUES; i++)
		at += (size_t)sprintf(text + at, ",\"%zu\":\"x\"", i);
	at += (size_t)sprintf(text + at, "}}");
	cr_expect_eq(spec_parse(text, at, "ve.json", &s, &e), -E2BIG);
	cr_expect(strstr(e.wrong, "labels.4095: more than 4096 values"), "%s", e.wrong);
	cr_expect_null(s);
}

static void expect_refused(struct spec *s, const char *assignment, int code, const char *tried, const char *wrong)
{
	cleanup_free char *before = write_out(s), *after = NULL;
	struct error e = {0};

	cr_expect_lt(spec_assign(s, assignment, &e), 0, "%s", assignment);
	cr_expect_eq(e.code, code, "%s", assignment);
	cr_expect_str_eq(e.tried, tried);
	cr_expect_str_eq(e.wrong, wrong);
	cr_expect(*e.remedy, "%s", assignment);
	after = write_out(s);
	cr_expect_str_eq(after, before);
}

Test(spec_errors, an_environment_variable_may_be_empty)
{
	static const char file[] = "{\"format\":1,\"env\":{\"A\":\"\"}}";
	cleanup_spec struct spec *s = spec_new(), *read = NULL;
	cleanup_free char *text = NULL;
	struct error e = {0};

	cr_assert_eq(spec_assign(s, "env.A=", &e), 0, "%s", e.wrong);
	cr_assert_str_eq(spec_string(s, "env.A"), "");
	cr_assert_eq(spec_check(s, &e), 0, "%s", e.wrong);
	cr_assert_eq(spec_write(s, &text, &e), 0);
	cr_assert_eq(spec_parse(file, strlen(file), "ve.json", &read, &e), 0, "%s", e.wrong);
	cr_assert_str_eq(spec_string(read, "env.A"), "");
	cr_assert_eq(spec_assign(s, "labels.a=", &e), -EINVAL);
}
Test(spec_errors, what_vectl_tells_init_by_is_not_the_specs)
{
	static const char *const own[] = {"container", "container_uuid", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET",
		"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		cleanup_spec struct spec *s = spec_new();
		struct error e = {0};
		char text[64];
		/* It is read, so that `unset` can take it away. */
		snprintf(text, sizeof text, "env.%s=x", own[i]);
		cr_assert_eq(spec_assign(s, text, &e), 0, "%s", e.wrong);
		cr_assert_eq(spec_check(s, &e), -EINVAL);
		cr_assert(strstr(e.wrong, own[i]), "%s", e.wrong);
	}
	cleanup_spec struct spec *s = spec_new();
	struct error e = {0};
	cr_assert_eq(spec_assign(s, "env.container_x=lxc", &e), 0);
	cr_assert_eq(spec_assign(s, "env.TERM=vt100", &e), 0);
	cr_assert_eq(spec_check(s, &e), 0, "%s", e.wrong);
}

Test(spec_errors, assignment_errors)
{
	static const struct {
		const char *assignment;
		int code;
		const char *tried, *wrong;
	} cases[] = {
		{"hostname=", VE_E_SPEC, "set hostname", "the value is empty"},
		{"hostname", VE_E_USAGE, "set hostname", "there is no ="},
		{"=x", VE_E_USAGE, "set ", "there is no key"},
		{"+=x", VE_E_USAGE, "set ", "there is no key"},
		{"hostnam=x", VE_E_SPEC, "set hostnam", "there is no such key"},
		{"timeout=5", VE_E_SPEC, "set timeout", "there is no such key"},
		{"stop=5", VE_E_SPEC, "set stop", "it stands for several keys"},
		{"image=x", VE_E_SPEC, "set image", "fixed when the VE is created"},
		{"name=x", VE_E_SPEC, "set name", "fixed when the VE is created"},
		{"uuid=x", VE_E_SPEC, "set uuid", "fixed when the VE is created"},
		{"hostname+=x", VE_E_SPEC, "set hostname", "not a list: += does not apply"},
		{"init-=x", VE_E_SPEC, "set init", "`x` is not in the list"},
		{"init=a,,b", VE_E_SPEC, "set init", "item 2 is empty"},
		{"hostname=a\nb", VE_E_SPEC, "set hostname", "a control character is in the value"},
		{"env.A=\xff", VE_E_SPEC, "set env.A", "not valid UTF-8"},
		{"hostname=-a", VE_E_SPEC, "set hostname", "a part of the host name starts or ends with -"},
		{"hostname=a..b", VE_E_SPEC, "set hostname", "a part of the host name is empty"},
		{"hostname=a_b", VE_E_SPEC, "set hostname", "the host name has characters that are not allowed"},
		{"userns.base=65535", VE_E_SPEC, "set userns.base", "65535 is out of range"},
		{"userns.base=2147418113", VE_E_SPEC, "set userns.base", "2147418113 is out of range"},
		{"userns.base=65537", VE_E_SPEC, "set userns.base", "65537 is not a multiple of 65536"},
		{"userns.base=-65536", VE_E_SPEC, "set userns.base", "-65536 is out of range"},
		{"userns.base=+65536", VE_E_SPEC, "set userns.base", "`+65536` is not a whole number"},
		{"stop.timeout=90s", VE_E_SPEC, "set stop.timeout", "`90s` is not a whole number of seconds"},
		{"stop.timeout=max", VE_E_SPEC, "set stop.timeout", "`max` is not a whole number of seconds"},
		{"stop.timeout=0x10", VE_E_SPEC, "set stop.timeout", "`0x10` is not a whole number of seconds"},
		{"stop.timeout= 5", VE_E_SPEC, "set stop.timeout", "` 5` is not a whole number of seconds"},
		{"stop.signal=65", VE_E_SPEC, "set stop.signal", "signal 65 is out of range"},
		{"stop.signal=0", VE_E_SPEC, "set stop.signal", "signal 0 is out of range"},
		{"stop.signal=RTMIN+31", VE_E_SPEC, "set stop.signal", "signal RTMIN+31 is out of range"},
		{"stop.signal=RTMIN+", VE_E_SPEC, "set stop.signal", "`RTMIN+` is not a signal"},
		{"stop.signal=SIGFOO", VE_E_SPEC, "set stop.signal", "`SIGFOO` is not a signal"},
		{"privileged=maybe", VE_E_SPEC, "set privileged", "`maybe` is not true or false"},
		{"labels.=x", VE_E_SPEC, "set labels.", "there is no such key"},
	};
	cleanup_spec struct spec *s = spec_new();
	char text[128];
	size_t i;

	cr_assert_eq(spec_assign(s, "init=/sbin/init", NULL), 0);
	cr_assert_eq(spec_assign(s, "hostname=h", NULL), 0);
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		expect_refused(s, cases[i].assignment, cases[i].code, cases[i].tried, cases[i].wrong);
	snprintf(text, sizeof(text), "hostname=%065d", 0);
	expect_refused(s, text, VE_E_SPEC, "set hostname", "the host name is longer than 64 bytes");
	snprintf(text, sizeof(text), "hostname=%064d", 0);
	expect_refused(s, text, VE_E_SPEC, "set hostname", "a part of the host name is longer than 63 bytes");
	snprintf(text, sizeof(text), "hostname=%063d", 0);
	cr_expect_eq(spec_assign(s, text, NULL), 0);
}
