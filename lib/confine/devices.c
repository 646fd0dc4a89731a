/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The device filter. The program is short and always of the same form, so it is put together here, for a fifth of what
 * loading libbpf would cost a start. It works on every layout that has a cgroup2 mount: cgroup v2 has no controller for
 * devices, a program of this kind takes its place.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "lib/base/util.h"
#include "lib/confine/devices.h"

static const char tried[] = "limit the VE's devices", program_name[] = "ve_devices";

const char *const device_rules_default[] = {
	"c 1:3 rwm",   /* null */
	"c 1:5 rwm",   /* zero */
	"c 1:7 rwm",   /* full */
	"c 1:8 rwm",   /* random */
	"c 1:9 rwm",   /* urandom */
	"c 5:0 rwm",   /* tty: whatever the process's own is */
	"c 5:2 rwm",   /* ptmx: of the devpts beside it */
	"c 136:* rwm", /* pts, likewise */
	"c 5:1 m",     /* console: debootstrap makes the node; opened it would be the host's */
	NULL,
};

/* A decimal number below 2^20 (the kernel's MINORBITS) or "*", up to `end`. */
static int parse_number(const char **p, char end, int64_t *ret)
{
	int64_t n = 0;
	const char *s = *p;
	if (s[0] == '*' && s[1] == end) {
		*p = s + 2;
		*ret = -1;
		return 0;
	}
	for (; *s >= '0' && *s <= '9'; s++)
		if ((n = n * 10 + (*s - '0')) >= 1 << 20)
			return -EINVAL;
	if (s == *p || *s != end)
		return -EINVAL;
	*p = s + 1;
	*ret = n;
	return 0;
}

int device_rule_parse(const char *text, struct device_rule *ret)
{
	static const char letters[] = "mrw"; /* in the order of the kernel's bits */
	struct device_rule d = {0};
	const char *p = text + 2;
	if ((text[0] != 'b' && text[0] != 'c') || text[1] != ' ')
		return -EINVAL;
	d.type = text[0] == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
	if (parse_number(&p, ':', &d.major) || parse_number(&p, ' ', &d.minor))
		return -EINVAL;
	for (; *p; p++) {
		const char *letter = strchr(letters, *p);
		uint32_t bit = letter ? 1u << (letter - letters) : 0;
		if (!bit || d.access & bit)
			return -EINVAL;
		d.access |= bit;
	}
	if (!d.access)
		return -EINVAL;
	*ret = d;
	return 0;
}

/* ---- the program: R2 type, R3 access, R4 major, R5 minor; a rule that does not hold leads to the next one */

struct assembler {
	struct bpf_insn *code;
	int n;
};

static void emit(struct assembler *a, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	a->code[a->n++] = (struct bpf_insn){.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

static void load(struct assembler *a, uint8_t to, size_t member)
{
	emit(a, BPF_LDX | BPF_MEM | BPF_W, to, BPF_REG_1, (int16_t)member, 0);
}

static void verdict(struct assembler *a, int allowed)
{
	emit(a, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allowed);
	emit(a, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void emit_rule(struct assembler *a, const struct device_rule *d)
{
	int jump[4], jumps = 0;
	jump[jumps++] = a->n;
	emit(a, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, 0, (int32_t)d->type);
	/* Nothing may be asked for that the rule does not give. */
	emit(a, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_0, BPF_REG_3, 0, 0);
	emit(a, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_0, 0, 0,
		(int32_t)(~d->access & (BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)));
	jump[jumps++] = a->n;
	emit(a, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, 0, 0, 0);
	const struct {
		int64_t value;
		uint8_t in;
	} number[] = {{d->major, BPF_REG_4}, {d->minor, BPF_REG_5}};
	for (size_t i = 0; i < ARRAY_SIZE(number); i++) {
		if (number[i].value < 0)
			continue;
		jump[jumps++] = a->n;
		emit(a, BPF_JMP | BPF_JNE | BPF_K, number[i].in, 0, 0, (int32_t)number[i].value);
	}
	verdict(a, 1);
	while (jumps)
		jumps--, a->code[jump[jumps]].off = (int16_t)(a->n - jump[jumps] - 1);
}

int device_program(const struct device_rule *rule, size_t n, struct bpf_insn ret[DEVICE_PROGRAM_MAX])
{
	struct assembler a = {.code = ret};
	if (n > DEVICE_RULES_MAX)
		return -E2BIG;
	/* access_type: what is asked for in the upper half, the device's type in the lower */
	load(&a, BPF_REG_2, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	emit(&a, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0);
	emit(&a, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff);
	emit(&a, BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16);
	load(&a, BPF_REG_4, offsetof(struct bpf_cgroup_dev_ctx, major));
	load(&a, BPF_REG_5, offsetof(struct bpf_cgroup_dev_ctx, minor));
	for (size_t i = 0; i < n; i++)
		emit_rule(&a, &rule[i]);
	verdict(&a, 0);
	return a.n;
}

/* ---- the kernel */

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	int r = (int)syscall(SYS_bpf, cmd, attr, sizeof *attr);
	return r < 0 ? -errno : r;
}

static int load_program(const struct bpf_insn *code, int n)
{
	union bpf_attr a = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insn_cnt = (uint32_t)n,
		.insns = (uintptr_t)code,
		.license = (uintptr_t) "LGPL-2.1-or-later", /* calls no helper, so any will do */
	};
	strcpy(a.prog_name, program_name);
	return sys_bpf(BPF_PROG_LOAD, &a);
}

static int failed(struct error *e, int r, const char *subject)
{
	const char *remedy =
		r == -ENOSYS || r == -EINVAL ? "boot a kernel with CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF"
		: r == -EPERM ? "run vectl as the host's root, with CAP_SYS_ADMIN and outside of containers"
			      : NULL;
	return error_set(e, VE_E_HOST, -r, tried, remedy, "%s: %s", subject, strerror(-r));
}

static int make_program(const char *rules, size_t size, struct error *e)
{
	struct device_rule rule[DEVICE_RULES_MAX];
	struct bpf_insn code[DEVICE_PROGRAM_MAX];
	size_t n = 0;
	for (const char *p = rules; size && p <= rules + size; p += strlen(p) + 1) {
		if (n == DEVICE_RULES_MAX)
			return error_set(e, VE_E_SPEC, E2BIG, tried, "take some away", "more than %d device rules",
				DEVICE_RULES_MAX);
		if (device_rule_parse(p, &rule[n++]))
			return error_sys(e, EINVAL, tried, p);
	}
	int program = load_program(code, device_program(rule, n, code));
	return program < 0 ? failed(e, program, "load the filter") : program;
}

static int open_cgroup(const char *cgroup, struct error *e)
{
	int dir = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return dir < 0 ? error_sys(e, errno, tried, cgroup) : dir;
}

/* old negative: there is none. */
static int attach(int dir, int program, int old)
{
	union bpf_attr a = {
		.target_fd = (uint32_t)dir,
		.attach_bpf_fd = (uint32_t)program,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags =
			BPF_F_ALLOW_MULTI, /* and those of the cgroups above, a host's systemd's, hold as well */
	};
	if (old >= 0) {
		a.attach_flags |= BPF_F_REPLACE;
		a.replace_bpf_fd = (uint32_t)old;
	}
	return sys_bpf(BPF_PROG_ATTACH, &a);
}

int device_filter_attach(const char *cgroup, const char *rules, size_t size, struct error *e)
{
	cleanup_fd int dir = open_cgroup(cgroup, e), program = dir < 0 ? -EBADF : make_program(rules, size, e);
	if (dir < 0 || program < 0)
		return dir < 0 ? dir : program;
	int r = attach(dir, program, -1);
	return r < 0 ? failed(e, r, cgroup) : 0;
}

static int is_ours(int program)
{
	struct bpf_prog_info info = {0};
	union bpf_attr a = {.info = {.bpf_fd = (uint32_t)program, .info_len = sizeof info, .info = (uintptr_t)&info}};
	return !sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &a) && !strcmp(info.name, program_name);
}

/* The one of ours that is attached there; -ENOENT. */
static int find_attached(int dir)
{
	enum { MOST = 64 /* the kernel's own limit of them in a cgroup */ };
	uint32_t ids[MOST];
	union bpf_attr a = {.query = {.target_fd = (uint32_t)dir,
				    .attach_type = BPF_CGROUP_DEVICE,
				    .prog_ids = (uintptr_t)ids,
				    .prog_cnt = MOST}};
	int r = sys_bpf(BPF_PROG_QUERY, &a);
	for (uint32_t i = 0; !r && i < a.query.prog_cnt; i++) {
		union bpf_attr by_id = {.prog_id = ids[i]};
		cleanup_fd int program = sys_bpf(BPF_PROG_GET_FD_BY_ID, &by_id);
		if (program >= 0 && is_ours(program))
			return TAKE_FD(program);
	}
	return r < 0 ? r : -ENOENT;
}

int device_filter_get(const char *cgroup, struct error *e)
{
	cleanup_fd int dir = open_cgroup(cgroup, e);
	int program = dir < 0 ? dir : find_attached(dir);
	return dir < 0 || program >= 0 || program == -ENOENT ? program : failed(e, program, cgroup);
}

int device_filter_put(const char *cgroup, int program, struct error *e)
{
	cleanup_fd int dir = open_cgroup(cgroup, e), old = dir < 0 ? -EBADF : find_attached(dir);
	if (dir < 0 || (old < 0 && old != -ENOENT))
		return dir < 0 ? dir : failed(e, old, cgroup);
	if (program < 0) {
		union bpf_attr a = {
			.target_fd = (uint32_t)dir, .attach_bpf_fd = (uint32_t)old, .attach_type = BPF_CGROUP_DEVICE};
		int r = old < 0 ? 0 : sys_bpf(BPF_PROG_DETACH, &a);
		return r < 0 ? failed(e, r, cgroup) : 0;
	}
	int r = attach(dir, program, old);
	return r < 0 ? failed(e, r, cgroup) : 0;
}

int device_filter_replace(const char *cgroup, const char *rules, size_t size, struct error *e)
{
	cleanup_fd int program = rules ? make_program(rules, size, e) : -ENOENT;
	return rules && program < 0 ? program : device_filter_put(cgroup, program, e);
}
