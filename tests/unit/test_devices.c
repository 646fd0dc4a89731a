/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device filter's program, run by a small interpreter of its own; the system tier has the kernel run it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/confine/devices.h"

enum { BROKEN = 0xdead, M = BPF_DEVCG_ACC_MKNOD, R = BPF_DEVCG_ACC_READ, W = BPF_DEVCG_ACC_WRITE };

struct program {
	struct bpf_insn code[DEVICE_PROGRAM_MAX];
	int n;
};

static uint64_t source(const struct bpf_insn *i, const uint64_t *reg)
{
	return BPF_SRC(i->code) == BPF_X ? reg[i->src_reg] : (uint64_t)(int64_t)i->imm;
}

static uint64_t run(const struct program *p, const struct bpf_cgroup_dev_ctx *ctx)
{
	uint64_t reg[11] = {0};
	uint32_t word;

	for (int pc = 0, steps = 0; pc >= 0 && pc < p->n && steps < 4096; pc++, steps++) {
		const struct bpf_insn *i = &p->code[pc];
		uint64_t with = source(i, reg);
		switch (i->code & ~BPF_X) {
		case BPF_LDX | BPF_MEM | BPF_W:
			if (i->src_reg != BPF_REG_1 || i->off < 0 || i->off + sizeof(word) > sizeof(*ctx))
				return BROKEN;
			memcpy(&word, (const char *)ctx + i->off, sizeof(word));
			reg[i->dst_reg] = word;
			break;
		case BPF_ALU64 | BPF_MOV:
			reg[i->dst_reg] = with;
			break;
		case BPF_ALU64 | BPF_AND:
			reg[i->dst_reg] &= with;
			break;
		case BPF_ALU64 | BPF_RSH:
			reg[i->dst_reg] >>= with;
			break;
		case BPF_JMP | BPF_JNE:
			pc += reg[i->dst_reg] != with ? i->off : 0;
			break;
		case BPF_JMP | BPF_EXIT:
			return reg[0];
		default:
			return BROKEN;
		}
	}
	return BROKEN;
}

static uint64_t asks(const struct program *p, char type, uint32_t access, uint32_t major, uint32_t minor)
{
	uint32_t kind = type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
	const struct bpf_cgroup_dev_ctx ctx = {.access_type = access << 16 | kind, .major = major, .minor = minor};
	return run(p, &ctx);
}

static void build(struct program *p, const char *const *text)
{
	struct device_rule rule[DEVICE_RULES_MAX];
	size_t n = 0;
	for (; *text; text++)
		cr_assert_eq(device_rule_parse(*text, &rule[n++]), 0, "%s", *text);
	p->n = device_program(rule, n, p->code);
	cr_assert_gt(p->n, 0);
}

Test(devices, rules_are_parsed)
{
	struct device_rule d;
	cr_expect_eq(device_rule_parse("c 1:3 rwm", &d), 0);
	cr_expect(d.type == BPF_DEVCG_DEV_CHAR && d.major == 1 && d.minor == 3 && d.access == (R | W | M));
	cr_expect_eq(device_rule_parse("b *:* m", &d), 0);
	cr_expect(d.type == BPF_DEVCG_DEV_BLOCK && d.major == -1 && d.minor == -1 && d.access == M);
	cr_expect_eq(device_rule_parse("c 10:1048575 r", &d), 0);
	cr_expect_eq(d.minor, 1048575);
	for (const char *const *text = device_rules_default; *text; text++)
		cr_expect_eq(device_rule_parse(*text, &d), 0, "%s", *text);
}

Test(devices, malformed_rules_are_refused)
{
	static const char *const wrong[] = {"", "c", "c ", "a 1:3 rwm", "c1:3 rwm", "c 1:3", "c 1:3 ", "c 1 3 rwm",
		"c :3 rwm", "c 1: rwm", "c -1:3 rwm", "c 1:3 rwx", "c 1:3 rr", "c 1:3 rwm ", "c 1:1048576 r",
		"c 99999999999999999999:0 r", "c **:1 r", "c 1:3  r", "C 1:3 r"};
	struct device_rule d = {.access = 77};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		cr_expect_eq(device_rule_parse(wrong[i], &d), -EINVAL, "`%s`", wrong[i]);
	cr_expect_eq(d.access, 77, "a refused rule touches its output");
}

Test(devices, what_no_rule_names_is_refused)
{
	static const char *const rules[] = {"c 1:3 rw", "b 7:* r", "c 136:* rwm", NULL};
	static struct program p;
	build(&p, rules);
	cr_expect_eq(asks(&p, 'c', R, 1, 3), 1);
	cr_expect_eq(asks(&p, 'c', R | W, 1, 3), 1);
	cr_expect_eq(asks(&p, 'c', M, 1, 3), 0);
	cr_expect_eq(asks(&p, 'c', R | M, 1, 3), 0, "a part that is allowed does not carry the rest");
	cr_expect_eq(asks(&p, 'b', R, 1, 3), 0, "a block device is no character device");
	cr_expect_eq(asks(&p, 'c', R, 1, 1), 0, "/dev/mem");
	cr_expect_eq(asks(&p, 'b', R, 7, 12345), 1);
	cr_expect_eq(asks(&p, 'b', W, 7, 0), 0);
	cr_expect_eq(asks(&p, 'b', M, 8, 0), 0);
	cr_expect_eq(asks(&p, 'c', R | W | M, 136, 1048575), 1);
	cr_expect_eq(asks(&p, 'c', R, 0xffffffff, 0xffffffff), 0);
}

Test(devices, without_rules_nothing_is_allowed)
{
	static const char *const rules[] = {NULL}, *const all[] = {"c *:* rwm", "b *:* rwm", NULL};
	static struct program none, every;
	build(&none, rules);
	build(&every, all);
	for (uint32_t access = 1; access < 8; access++) {
		cr_expect_eq(asks(&none, 'c', access, 1, 3), 0);
		cr_expect_eq(asks(&none, 'b', access, 8, 0), 0);
		cr_expect_eq(asks(&every, 'c', access, 1, 1), 1);
		cr_expect_eq(asks(&every, 'b', access, 8, 0), 1);
	}
}

Test(devices, the_defaults_open_nothing_of_the_host)
{
	static const uint32_t open[][2] = {
		{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 2}, {136, 0}, {136, 511}};
	static struct program p;
	build(&p, device_rules_default);
	for (size_t i = 0; i < ARRAY_SIZE(open); i++)
		cr_expect_eq(asks(&p, 'c', R | W, open[i][0], open[i][1]), 1, "%u:%u", open[i][0], open[i][1]);
	for (uint32_t major = 0; major < 512; major++)
		for (uint32_t minor = 0; minor < 300; minor++) {
			int known = 0;
			for (size_t i = 0; i < ARRAY_SIZE(open); i++)
				known |= major == 136 || (major == open[i][0] && minor == open[i][1]);
			for (uint32_t access = 1; access < 8; access++)
				cr_assert(!asks(&p, 'b', access, major, minor), "b %u:%u", major, minor);
			cr_assert(known || !asks(&p, 'c', R, major, minor), "c %u:%u", major, minor);
		}
	/* A node of the console may be made, as debootstrap does, and not opened: it is the host's. */
	cr_expect_eq(asks(&p, 'c', M, 5, 1), 1);
	cr_expect_eq(asks(&p, 'c', R, 5, 1), 0);
	cr_expect_eq(asks(&p, 'c', W | M, 5, 1), 0);
}

Test(devices, as_many_rules_as_there_is_room_for)
{
	static struct device_rule rule[DEVICE_RULES_MAX + 1];
	static struct program p;
	for (size_t i = 0; i < ARRAY_SIZE(rule); i++)
		rule[i] = (struct device_rule){.type = BPF_DEVCG_DEV_CHAR, .major = i, .minor = 1, .access = R};
	p.n = device_program(rule, DEVICE_RULES_MAX, p.code);
	cr_assert(p.n > 0 && p.n <= DEVICE_PROGRAM_MAX);
	cr_expect_eq(asks(&p, 'c', R, DEVICE_RULES_MAX - 1, 1), 1);
	cr_expect_eq(asks(&p, 'c', R, DEVICE_RULES_MAX, 1), 0);
	cr_expect_eq(device_program(rule, DEVICE_RULES_MAX + 1, p.code), -E2BIG);
}
