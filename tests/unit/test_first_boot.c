/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a VE is given at its first boot: the guest's files changed as text, keys and hashes looked at, the plan's steps.
 */
#include "tests/unit/fixture.h"

#include <crypt.h>
#include <dlfcn.h>

#include "cmd/ve-supervisor/account.h"
#include "lib/run/first_boot.h"
#include "tests/unit/planning.h"

#define ED25519 "AAAAC3NzaC1lZDI1NTE5AAAAIPrO4u9jl0pzKIGwggdHXrvWOolT1bnX/AiCx3BI7WKu"
#define ECDSA                                                                                                          \
	"AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBCIODiVLIEJCHWg2K59HT1eNY6nTRJeLBDnPngGaLi9VT6MMs91B4xx0" \
	"yfzA943y9a3+67Fr29RWpB7VPEcEDL0="

static struct span span(const char *text)
{
	return (struct span){text, strlen(text)};
}

static void expect_account(const char *text, int field, const char *value, const char *want)
{
	char out[512];
	ssize_t n = account_set(span(text), "root", field, value, out, sizeof out);

	if (!want) {
		cr_assert_eq(n, -ENOENT, "'%s': %zd", text, n);
		return;
	}
	cr_assert_eq(n, (ssize_t)strlen(want), "'%s': %zd", text, n);
	cr_assert(!memcmp(out, want, n), "'%s' became '%.*s', not '%s'", text, (int)n, out, want);
}

Test(account, the_first_line_of_the_user_gets_the_field)
{
	expect_account("root:*:1:0:99999:7:::\n", 1, "$6$a", "root:$6$a:1:0:99999:7:::\n");
	expect_account("a:x:1\nroot::2:0\nb:y:3\n", 1, "H", "a:x:1\nroot:H:2:0\nb:y:3\n");
	expect_account("root:old:1\nroot:second:2\n", 1, "H", "root:H:1\nroot:second:2\n");
	expect_account("root:H:1:0:::\n", 2, "20000", "root:H:20000:0:::\n");
	expect_account("root:H:1", 2, "2", "root:H:2\n");
}
Test(account, a_short_line_is_filled)
{
	expect_account("root:\n", 1, "H", "root:H\n");
	expect_account("root:H\n", 2, "7", "root:H:7\n");
	expect_account("root:H\n", 4, "7", "root:H:::7\n");
}
Test(account, other_names_are_other_users)
{
	expect_account("rooty:x:1\ntoor:x:2\n", 1, "H", NULL);
	expect_account("", 1, "H", NULL);
	expect_account("root\n", 1, "H", NULL);
	expect_account("#root:x:1\n", 1, "H", NULL);
	expect_account("\n\nroot:x:1\n", 1, "H", "\n\nroot:H:1\n");
}
Test(account, what_does_not_fit_is_an_error_and_stays_inside)
{
	const char *text = "daemon:*:1:\nroot:*:1:0:99999:7:::\nnobody:*:1:\n";

	for (size_t room = 0; room < 100; room++) {
		char *out = malloc(room + 1);
		out[room] = 'c';
		ssize_t n = account_set(span(text), "root", 1, "$6$abcdef", out, room);
		cr_assert_eq(out[room], 'c');
		cr_assert_eq(
			n, room < strlen(text) + 8 ? -ENOSPC : (ssize_t)strlen(text) + 8, "room %zu: %zd", room, n);
		free(out);
	}
}

static void expect_lines(const char *text, const char *more, const char *want)
{
	char out[256];
	ssize_t n = lines_add(span(text), span(more), out, sizeof out);

	cr_assert_eq(n, (ssize_t)strlen(want), "%zd", n);
	cr_assert(!memcmp(out, want, n), "'%.*s', not '%s'", (int)n, out, want);
}

Test(account, lines_are_added_once)
{
	expect_lines("", "a\nb\n", "a\nb\n");
	expect_lines("a\n", "a\nb\n", "a\nb\n");
	expect_lines("a", "b\n", "a\nb\n");
	expect_lines("ab\n", "a\n", "ab\na\n");
	expect_lines("# mine\n\nz\n", "b\nb\n", "# mine\n\nz\nb\n");
	expect_lines("a\n", "\n\n", "a\n");
	char small[3];
	cr_assert_eq(lines_add(span("a\n"), span("b\n"), small, sizeof small), -ENOSPC);
}

/* ---- keys */

Test(ssh_key, public_ones_are_taken)
{
	static const char text[] = "# a comment\r\n\n  ssh-ed25519 " ED25519 " me@host  \r\n"
				   "no-pty,command=\"echo \\\"a b\\\"\" ecdsa-sha2-nistp256 " ECDSA "\n";
	cleanup_free char *keys = NULL;
	struct error e = {0};

	cr_assert_eq(ssh_keys_check(text, &keys, &e), 0, "%s", e.wrong);
	cr_assert_str_eq(keys, "ssh-ed25519 " ED25519 " me@host\n"
			       "no-pty,command=\"echo \\\"a b\\\"\" ecdsa-sha2-nistp256 " ECDSA "\n");
}
Test(ssh_key, what_is_none_is_refused)
{
	static const char *const bad[] = {
		"",
		"\n# nothing\n",
		"hello world",
		"ssh-ed25519",
		"ssh-ed25519 AAAA",
		"ssh-rsa " ED25519, /* another type than the blob's */
		"ssh-ed25519 " ED25519 "x",
		"ssh-ed25519 !" ED25519,
		"ssh-dss " ED25519,
		ED25519,
		"ssh-ed25519 " ED25519 "\nrubbish\n",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n-----END OPENSSH PRIVATE KEY-----\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *keys = NULL;
		struct error e = {0};
		cr_assert_eq(ssh_keys_check(bad[i], &keys, &e), -EINVAL, "'%s'", bad[i]);
		cr_assert_null(keys);
		cr_assert_eq(e.code, VE_E_USAGE);
		if (strstr(bad[i], "PRIVATE"))
			cr_assert(strstr(e.wrong, "private") && strstr(e.remedy, ".pub"), "%s: %s", e.wrong, e.remedy);
		/* What was given is not said: it may be secret. */
		cr_assert(!strstr(e.wrong, "b3BlbnNzaC1r"));
	}
}

/* ---- passwords */

Test(password, hashes_are_what_crypt_checks)
{
	void *lib = dlopen("libcrypt.so.1", RTLD_NOW);
	cr_assert_not_null(lib);
	char *(*check)(const char *, const char *, void *, int) =
		(char *(*)(const char *, const char *, void *, int))dlsym(lib, "crypt_rn");
	static struct crypt_data data;

	for (int yescrypt = 0; yescrypt < 2; yescrypt++) {
		cleanup_free char *hash = NULL, *other = NULL;
		struct error e = {0};
		cr_assert_eq(password_hash("correct horse", yescrypt, &hash, &e), 0, "%s", e.wrong);
		cr_assert_eq(password_hash("correct horse", yescrypt, &other, &e), 0, "%s", e.wrong);
		cr_assert(!strncmp(hash, yescrypt ? "$y$" : "$6$", 3), "%s", hash);
		cr_assert_str_neq(hash, other, "salted alike");
		cr_assert_eq(password_hash_check(hash, &e), 0);
		cr_assert_str_eq(check("correct horse", hash, &data, sizeof data), hash);
		cr_assert_str_neq(check("wrong horse", hash, &data, sizeof data), hash);
	}
}
Test(password, what_cannot_be_one_is_refused)
{
	static char long_one[1024];
	memset(long_one, 'a', sizeof long_one - 1);
	const char *bad[] = {"", "two\nlines", "a\r", long_one};
	const char *hashes[] = {"", "secret", "*", "!", "$6$short", "$6$salt$with:colon....", "$6$salt$with\nline.....",
		"plain password with blanks"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error e = {0};
		cr_assert_lt(password_check(bad[i], &e), 0, "%zu", i);
		cr_assert_eq(e.code, VE_E_USAGE);
	}
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
		struct error e = {0};
		cr_assert_eq(password_hash_check(hashes[i], &e), -EINVAL, "%zu", i);
		cr_assert(!*hashes[i] || strlen(hashes[i]) < 4 || !strstr(e.wrong, hashes[i]), "it is shown");
	}
}

/* ---- credentials */

Test(credentials, names_and_sizes_are_systemds)
{
	static const struct {
		const char *name;
		size_t size;
		int ok;
	} cases[] = {
		{"db.password", 4, 1},
		{"a b", 0, 1},
		{"", 1, 0},
		{".", 1, 0},
		{"..", 1, 0},
		{"a/b", 1, 0},
		{"a:b", 1, 0},
		{"a\nb", 1, 0},
		{"caf\xc3\xa9", 1, 0},
		{"big", 1 << 20, 1},
		{"big", (1 << 20) + 1, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ve_credential c = {cases[i].name, "data", cases[i].size};
		struct ve_create_options o = {.size = sizeof o, .credentials = &c, .n_credentials = 1};
		struct error e = {0};
		cr_assert_eq(first_boot_check(&o, &e) == 0, cases[i].ok, "%zu: %s", i, e.wrong);
	}
	struct ve_credential twice[] = {{"a", "1", 1}, {"a", "2", 1}}, whole[] = {{"a", "1", 1 << 20}, {"b", "2", 1}};
	struct ve_create_options o = {.size = sizeof o, .credentials = twice, .n_credentials = 2};
	struct error e = {0};
	cr_assert_lt(first_boot_check(&o, &e), 0);
	o.credentials = whole;
	cr_assert_lt(first_boot_check(&o, &e), 0);
}

Test(credentials, roots_password_is_looked_at_and_given_once)
{
	static const char hash[] = "$6$saltsalt$x0123456789\n", text[] = "a horse\n";
	struct ve_credential both[] = {{"passwd.hashed-password.root", hash, sizeof hash - 1},
		{"passwd.plaintext-password.root", text, sizeof text - 1}};
	static const struct {
		size_t from, n;
		const char *password, *hash;
		int ok;
	} cases[] = {
		{0, 1, NULL, NULL, 1},
		{1, 1, NULL, NULL, 1},
		{0, 2, NULL, NULL, 0},
		{0, 1, "b", NULL, 0},
		{1, 1, "b", NULL, 0},
		{0, 1, NULL, hash, 0},
		{0, 0, "b", "$6$saltsalt$x0123456789", 0},
		{0, 0, NULL, "$6$saltsalt$x0123456789", 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ve_create_options o = {.size = sizeof o,
			.credentials = both + cases[i].from,
			.n_credentials = cases[i].n,
			.root_password = cases[i].password,
			.root_password_hash = cases[i].hash};
		struct error e = {0};
		cr_assert_eq(first_boot_check(&o, &e) == 0, cases[i].ok, "%zu: %s", i, e.wrong);
		cr_assert(cases[i].ok || strstr(e.wrong, "more than once"), "%zu: %s", i, e.wrong);
	}
	both[0].data = "no hash";
	both[0].size = strlen("no hash");
	both[1].size = 0;
	for (size_t i = 0; i < 2; i++) {
		struct ve_create_options o = {.size = sizeof o, .credentials = both + i, .n_credentials = 1};
		struct error e = {0};
		cr_assert_eq(first_boot_check(&o, &e), -EINVAL, "%zu", i);
		cr_assert_eq(e.code, VE_E_USAGE);
	}
}

/* ---- the plan */

static int count_steps(const struct plan *p, int op)
{
	int n = 0;
	for (size_t i = 0; i < p->nsteps; i++)
		n += (int)p->step[i].op == op;
	return n;
}

Test(first_boot, is_planned_where_there_is_something_to_do)
{
	for (int what = 0; what < 4; what++) {
		cleanup_spec struct spec *s = make_spec(&spec_cases[0]);
		cleanup_plan struct plan *p = NULL;
		cleanup_free char *text = NULL;
		struct plan_input in = make_input(s, &host_cases[0]);
		struct error e = {0};
		in.first_boot = what & 1;
		in.credentials = what >> 1;
		cr_assert_eq(plan_build(&in, &p, &e), 0, "%s", e.wrong);
		cr_assert_eq(count_steps(p, OP_FIRST_BOOT), in.first_boot);
		cr_assert_eq(count_steps(p, OP_FIRST_BOOT_OPEN), in.first_boot);
		cr_assert_eq(count_steps(p, OP_OPEN_LAYER), 2 + in.first_boot + in.credentials);
		cr_assert_eq(count_steps(p, OP_ATTACH_LAYER), 2 + in.first_boot + in.credentials);
		cr_assert_eq(plan_text(p, &text, &e), 0);
		cr_assert_eq(strstr(text, "CREDENTIALS_DIRECTORY=/run/host/credentials") != NULL, in.credentials);
	}
}
