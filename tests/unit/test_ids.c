/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host ids. The pool lies where neither Debian's subuids nor systemd's ranges are, so that the machine has no say. */
#include "tests/unit/fixture.h"

#include "lib/base/hash.h"
#include "lib/host/ids.h"

enum { BASE = 0x68000000, RANGE = IDS_COUNT };

static struct fixture f;

static void pool(unsigned ranges)
{
	char text[128];
	FORMAT(text, "{\"idpool\": {\"base\": %u, \"count\": %u}}\n", BASE, ranges * RANGE);
	put_text(under(&f, "etc/vectl/vectl.conf"), text);
}

static void make(void)
{
	fixture_make(&f);
	cr_assert_eq(mkdir(under(&f, "var/lib/vectl/ve"), 0700), 0);
}

static void drop(void)
{
	fixture_remove(&f);
}

TestSuite(ids, .init = make, .fini = drop, .timeout = 60);

static void hold(const char *name, uint32_t base, uint32_t owner)
{
	const char *path = under(&f, "var/lib/vectl/ve/%s", name);
	cr_assert_eq(mkdir(path, 0700), 0, "%s", path);
	cleanup_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error e = {0};
	cr_assert_eq(ids_link(dir, &(struct id_range){base, owner}, &e), 0, "%s", e.wrong);
}

static void expect_error(
	int r, int result, int errnum, int code, const char *wrong, const char *remedy, const struct error *e)
{
	cr_expect_eq(r, result, "%d", r);
	cr_expect_eq(e->errnum, errnum);
	cr_expect_eq(e->code, code);
	cr_expect_str_eq(e->wrong, wrong);
	cr_expect_str_eq(e->remedy, remedy);
}

static const struct id_range untouched = {0x55555555, 0x55555555};

static void expect_busy(uint32_t want, const char *except, int errnum, const char *wrong, const char *remedy)
{
	struct id_range r = untouched;
	struct error e = {0};
	int result = ids_pick(&f.host, want, except, &r, &e);

	expect_error(result, -errnum, errnum, VE_E_BUSY, wrong, remedy, &e);
	cr_expect_str_eq(e.tried, "pick host ids");
	cr_expect_eq(memcmp(&r, &untouched, sizeof(r)), 0);
}

static struct id_range pick(uint32_t want, const char *except)
{
	struct id_range r = untouched;
	struct error e = {0};
	cr_assert_eq(ids_pick(&f.host, want, except, &r, &e), 0, "%s", e.wrong);
	return r;
}

/* ---- vectl.conf */

static int read_pool(struct id_pool *ret, struct error *e)
{
	*e = (struct error){0};
	*ret = (struct id_pool){1, 2};
	return id_pool_read(&f.host, ret, e);
}

Test(ids, pool_of_no_vectl_conf)
{
	struct id_pool p;
	struct error e;

	cr_assert_eq(read_pool(&p, &e), 0);
	cr_expect_eq(p.base, 0x70000000);
	cr_expect_eq(p.count, 0x10000000);
}

Test(ids, pool_of_vectl_conf)
{
	static const struct {
		const char *text;
		uint32_t base, count;
	} cases[] = {
		{"{}", 0x70000000, 0x10000000},
		{"{\"format\": 1}", 0x70000000, 0x10000000},
		{"{\"idpool\": {}}", 0x70000000, 0x10000000},
		{"{\"idpool\": {\"count\": 131072}}", 0x70000000, 131072},
		{"{\"idpool\": {\"base\": 65536, \"count\": 131072}}", 65536, 131072},
		{"{\"idpool\": {\"base\": 2147352576, \"count\": 131072}}", 2147352576, 131072},
		{"{\"idpool\": {\"base\": 65536, \"count\": 2147418112}}", 65536, 2147418112},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct id_pool p;
		struct error e;
		put_text(under(&f, "etc/vectl/vectl.conf"), cases[i].text);
		cr_assert_eq(read_pool(&p, &e), 0, "%s: %s", cases[i].text, e.wrong);
		cr_expect_eq(p.base, cases[i].base, "%s", cases[i].text);
		cr_expect_eq(p.count, cases[i].count, "%s", cases[i].text);
	}
}

static void expect_conf_error(const char *text, int errnum, int code, const char *wrong, const char *remedy)
{
	const char *path = under(&f, "etc/vectl/vectl.conf");
	char want[600];
	struct id_pool p;
	struct error e;

	put_text(path, text);
	FORMAT(want, "%s:%s", path, wrong);
	int r = read_pool(&p, &e);
	/* Syntax has no errno of its own; -EINVAL is what callers get then. */
	int result = errnum ? -errnum : -EINVAL;
	expect_error(r, result, errnum, code, want, remedy, &e);
	cr_expect_str_eq(e.tried, "read vectl.conf", "%s", text);
	cr_expect_eq(p.base, 1, "%s", text);
	cr_expect_eq(p.count, 2, "%s", text);
	/* And nobody gets ids of a pool that cannot be read. */
	struct id_range range = untouched;
	e = (struct error){0};
	cr_expect_eq(ids_pick(&f.host, 0, NULL, &range, &e), result, "%s", text);
	cr_expect_str_eq(e.wrong, want);
	cr_expect_eq(range.base, untouched.base);
}

Test(ids, pool_out_of_range)
{
	static const char remedy[] = "use multiples of 65536 from 65536 to 2147483648, two ranges at least";
	static const struct {
		int64_t base, count;
	} cases[] = {{0, 131072}, {-65536, 131072}, {1000, 131072}, {65537, 131072}, {65536, 65536}, {65536, 0},
		{65536, -131072}, {65536, 131073}, {2147418112, 131072}, {65536, 2147483648}, {4294967296, 131072},
		{INT64_MAX - 65535, 131072}, {65536, INT64_MAX - 65535}, {INT64_MAX - 65535, INT64_MAX - 65535}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[160], wrong[160];
		long long base = cases[i].base, count = cases[i].count;
		FORMAT(text, "{\"idpool\": {\"base\": %lld, \"count\": %lld}}", base, count);
		FORMAT(wrong, " idpool.base %lld and idpool.count %lld are no usable range", base, count);
		expect_conf_error(text, EINVAL, VE_E_HOST, wrong, remedy);
	}
}

Test(ids, bad_vectl_conf)
{
	static const char known[] = "settings are format, idpool and network",
			  of_idpool[] = "settings are idpool.base and idpool.count", number[] = "write a plain number";

	expect_conf_error("[]", EINVAL, VE_E_HOST, "1:1: no object", "write {\"idpool\": {\"base\": N, \"count\": N}}");
	expect_conf_error("{\"idpool\": 5}", EINVAL, VE_E_HOST, "1:12: `idpool` is no object",
		"write {\"base\": N, \"count\": N}");
	expect_conf_error(
		"{\"idpool\":\n {\"base\": \"0x70000000\"}}", EINVAL, VE_E_HOST, "2:11: `base` is no integer", number);
	expect_conf_error("{\"idpool\": {\"count\": 1.5}}", EINVAL, VE_E_HOST, "1:22: `count` is no integer", number);
	expect_conf_error(
		"{\"idpools\": {\"base\": 65536}}", EINVAL, VE_E_HOST, "1:2: there is no setting `idpools`", known);
	expect_conf_error(
		"{\"idpool\": {\"size\": 65536}}", EINVAL, VE_E_HOST, "1:13: there is no setting `size`", of_idpool);
	expect_conf_error("{\"base\": 65536}", EINVAL, VE_E_HOST, "1:2: there is no setting `base`", known);
	expect_conf_error("{\"idpool\": {\"base\": 65536, \"base\": 131072}}", EEXIST, VE_E_FAILED,
		"1:28: `base` is there twice, first at line 1, column 13", "remove one of the two");
	expect_conf_error("", 0, VE_E_FAILED, "1:1: not valid JSON: it ends too early", "correct it there");
	expect_conf_error("{\"idpool\": {\"base\": 65536}", 0, VE_E_FAILED, "1:27: not valid JSON: it ends too early",
		"correct it there");
}

/* ---- picking */

Test(ids, ranges_are_distinct)
{
	enum { MANY = 400 };
	static struct id_range r[MANY];

	pool(MANY + 1);
	for (int i = 0; i < MANY; i++) {
		char name[16];
		r[i] = pick(0, NULL);
		cr_expect_eq(r[i].base % RANGE, 0);
		cr_expect_geq(r[i].base, (uint32_t)(BASE + RANGE), "the pool's first 65536 ids are owners");
		cr_expect_leq(r[i].base, (uint32_t)(BASE + MANY * RANGE));
		cr_expect(r[i].owner >= BASE && r[i].owner < (uint32_t)(BASE + RANGE), "%u", r[i].owner);
		for (int k = 0; k < i; k++) {
			cr_assert_neq(r[i].base, r[k].base, "VE %d and %d", i, k);
			cr_assert_neq(r[i].owner, r[k].owner, "VE %d and %d", i, k);
		}
		FORMAT(name, "ve%d", i);
		hold(name, r[i].base, r[i].owner);
	}
	expect_busy(
		0, NULL, ENOSPC, "all 400 ranges of the pool are taken", "destroy a VE, or widen idpool in vectl.conf");
	/* The one that goes is the one that is free. */
	cr_assert_eq(remove_tree_at(AT_FDCWD, under(&f, "var/lib/vectl/ve/ve123")), 0);
	struct id_range again = pick(0, NULL);
	cr_expect_eq(again.base, r[123].base);
	cr_expect_eq(again.owner, r[123].owner);
}

Test(ids, picking_is_repeatable_and_starts_by_root)
{
	pool(64);
	struct id_range a = pick(0, NULL), b = pick(0, NULL);
	cr_expect_eq(a.base, b.base);
	cr_expect_eq(a.owner, b.owner);

	unsigned first = hash_string(f.host.root) % 63;
	cr_expect_eq(a.base, BASE + (1 + first) * RANGE);
}

Test(ids, conflict_names_the_holder)
{
	static const char remedy[] = "choose another userns.base";

	pool(16);
	hold("shop", BASE + 3 * RANGE, BASE + 3);
	expect_busy(BASE + 3 * RANGE, NULL, EADDRINUSE, "the ids from 1745027072 are those of VE 'shop'", remedy);
	/* Also where they only touch, from either side; next to it there is room. */
	expect_busy(BASE + 3 * RANGE + 1, NULL, EADDRINUSE, "the ids from 1745027073 are those of VE 'shop'", remedy);
	expect_busy(BASE + 2 * RANGE + 1, NULL, EADDRINUSE, "the ids from 1744961537 are those of VE 'shop'", remedy);
	expect_busy(BASE + 4 * RANGE - 1, NULL, EADDRINUSE, "the ids from 1745092607 are those of VE 'shop'", remedy);
	cr_expect_eq(pick(BASE + 2 * RANGE, NULL).base, (uint32_t)(BASE + 2 * RANGE));
	cr_expect_eq(pick(BASE + 4 * RANGE, NULL).base, (uint32_t)(BASE + 4 * RANGE));
	/* Its own range is no conflict for the VE itself. */
	cr_expect_eq(pick(BASE + 3 * RANGE, "shop").base, (uint32_t)(BASE + 3 * RANGE));
	expect_busy(BASE + 3 * RANGE, "shop2", EADDRINUSE, "the ids from 1745027072 are those of VE 'shop'", remedy);
}

Test(ids, the_owner_uids_are_nobodys_range)
{
	static const char wrong[] = "1744830464 to 1744895999 are the owner uids of all VEs";
	static const char remedy[] = "choose another userns.base";

	pool(16);
	expect_busy(BASE, NULL, EADDRINUSE, wrong, remedy);
	expect_busy(BASE + RANGE - 1, NULL, EADDRINUSE, wrong, remedy);
	expect_busy(BASE - RANGE + 1, NULL, EADDRINUSE, wrong, remedy);
	cr_expect_eq(
		pick(BASE - RANGE, NULL).base, (uint32_t)(BASE - RANGE), "outside of the pool is the user's choice");
	cr_expect_eq(pick(BASE + RANGE, NULL).base, (uint32_t)(BASE + RANGE));
}

Test(ids, a_small_pool_is_soon_taken)
{
	pool(2);
	struct id_range r = pick(0, NULL);
	cr_expect_eq(r.base, (uint32_t)(BASE + RANGE));
	hold("one", r.base, r.owner);
	expect_busy(
		0, NULL, ENOSPC, "all 1 ranges of the pool are taken", "destroy a VE, or widen idpool in vectl.conf");
	cr_expect_eq(pick(0, "one").base, r.base);
	pool(3);
	cr_expect_eq(pick(0, NULL).base, (uint32_t)(BASE + 2 * RANGE));
}

Test(ids, an_owner_that_is_taken_is_passed_by)
{
	pool(8);
	struct id_range a = pick(BASE + 5 * RANGE, NULL);
	hold("squatter", BASE + 2 * RANGE, a.owner);
	struct id_range b = pick(BASE + 5 * RANGE, NULL);
	cr_expect_eq(b.base, a.base);
	cr_expect_eq(b.owner, a.owner + 1);
}

Test(ids, links_that_are_none_are_passed_by)
{
	pool(3);
	const char *const broken[] = {"", "x", "-", "12"};
	for (size_t i = 1; i < ARRAY_SIZE(broken); i++) {
		cr_assert_eq(mkdir(under(&f, "var/lib/vectl/ve/b%zu", i), 0700), 0);
		cr_assert_eq(symlink(broken[i], under(&f, "var/lib/vectl/ve/b%zu/ids", i)), 0);
	}
	cr_assert_eq(mkdir(under(&f, "var/lib/vectl/ve/none"), 0700), 0);
	put_text(under(&f, "var/lib/vectl/ve/.ids"), "");
	struct id_range r = pick(0, NULL);
	cr_expect_geq(r.base, (uint32_t)(BASE + RANGE));
}

Test(ids, no_folder_of_ves)
{
	struct id_range r = untouched;
	struct error e = {0};

	cr_assert_eq(rmdir(under(&f, "var/lib/vectl/ve")), 0);
	cr_expect_eq(ids_pick(&f.host, 0, NULL, &r, &e), -ENOENT);
	cr_expect_str_eq(e.subject, under(&f, "var/lib/vectl/ve"));
	cr_expect_eq(r.base, untouched.base);
}

/* Users of the host's own, `daemon` and `nobody` among them, have ids below 65535. */
Test(ids, the_hosts_users_are_respected)
{
	struct id_range r = untouched;
	struct error e = {0};

	pool(4);
	cr_expect_eq(ids_pick(&f.host, 1, NULL, &r, &e), -EADDRINUSE);
	cr_expect_eq(e.code, VE_E_BUSY);
	cr_expect_str_eq(e.remedy, "choose another userns.base, or name a free range as idpool in vectl.conf");
	cr_expect_eq(r.base, untouched.base);
}

/* ---- the link */

Test(ids, link_and_back)
{
	struct ve ve = {.host = &f.host, .name = "web1"};
	struct id_range r = untouched;
	struct error e = {0};

	cr_expect_eq(ids_of(&ve, &r, &e), -ENOENT);
	cr_expect_eq(r.base, untouched.base);
	hold("web1", 4294901760u, 4294967295u);
	e = (struct error){0};
	cr_assert_eq(ids_of(&ve, &r, &e), 0);
	cr_expect_eq(r.base, 4294901760u);
	cr_expect_eq(r.owner, 4294967295u);
	/* Another takes its place, and nothing is left beside it. */
	cleanup_fd int dir = open(under(&f, "var/lib/vectl/ve/web1"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(symlinkat("left by a crash", dir, "ids.new"), 0);
	cr_assert_eq(ids_link(dir, &(struct id_range){65536, 7}, &e), 0);
	cr_assert_eq(ids_of(&ve, &r, &e), 0);
	cr_expect_eq(r.base, 65536);
	cr_expect_eq(r.owner, 7);
	cr_expect_eq(faccessat(dir, "ids.new", F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

Test(ids, a_broken_link_is_said)
{
	static const char *const broken[] = {"x", "12", "12 ", "-1 -2", "12 13 14", "12 13x", "99999999999 1", "1,2"};
	struct ve ve = {.host = &f.host, .name = "web1"};

	cr_assert_eq(mkdir(under(&f, "var/lib/vectl/ve/web1"), 0700), 0);
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		struct id_range r = untouched;
		struct error e = {0};
		cr_assert_eq(symlink(broken[i], under(&f, "var/lib/vectl/ve/web1/ids")), 0);
		cr_expect_eq(ids_of(&ve, &r, &e), -EINVAL, "'%s'", broken[i]);
		cr_expect_eq(r.base, untouched.base, "'%s'", broken[i]);
		cr_expect_eq(r.owner, untouched.owner, "'%s'", broken[i]);
		cr_assert_eq(unlink(under(&f, "var/lib/vectl/ve/web1/ids")), 0);
	}
}

Test(ids, lock_path)
{
	char b[64], small[8] = "abcdefg";

	cr_expect_eq(ids_lock_path(&(struct id_range){1879113728, 1}, b, sizeof(b)), 0);
	cr_expect_str_eq(b, "/run/lock/vectl/1879113728");
	cr_expect_eq(ids_lock_path(&(struct id_range){1879113728, 1}, small, sizeof(small)), -ENAMETOOLONG);
}

Test(ids, lock_serialises)
{
	struct error e = {0};
	cleanup_fd int held = ids_lock(&f.host, &e);

	cr_assert_geq(held, 0);
	cleanup_fd int other = open(under(&f, "var/lib/vectl/ve/.ids"), O_RDWR | O_CLOEXEC);
	cr_expect_eq(lock_is_held(other), 1);
	close(held);
	held = -1;
	cr_expect_eq(lock_is_held(other), 0);
}
