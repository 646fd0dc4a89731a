/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a profile to BPF. libseccomp makes the part that decides by number. What decides by argument stands before it
 * and is assembled here, since libseccomp has no "else" for one call's rules (they would fall through to the default
 * action) and no masked "not equal". Jumps are relative, so that the two parts are simply joined.
 */
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/base/util.h"
#include "lib/confine/program.h"

#define TRIED  "compile the seccomp program"
#define REMEDY "install vectl again, with libseccomp 2.5 or newer"

struct assembler {
	struct sock_filter code[256]; /* jump offsets of BPF have 8 bits: what is longer than that is refused */
	size_t n;
	int overflow;
};

static void emit(struct assembler *a, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (a->n == ARRAY_SIZE(a->code)) {
		a->overflow = 1;
		return;
	}
	a->code[a->n++] = (struct sock_filter){.code = code, .k = k, .jt = jt, .jf = jf};
}

/* Makes the "false" branch of the jump at `from` lead to the next instruction. */
static void land_false(struct assembler *a, size_t from)
{
	size_t distance = a->n - from - 1;

	if (a->overflow || distance > UINT8_MAX)
		a->overflow = 1;
	else
		a->code[from].jf = (uint8_t)distance;
}

static uint32_t low_half_of_arg(unsigned arg)
{
	uint32_t offset = offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t);

	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? offset + sizeof(uint32_t) : offset;
}

static void emit_rule(struct assembler *a, const struct arg_rule *rule)
{
	size_t jumps[ARG_TESTS], n_jumps = 0;

	for (size_t i = 0; i < ARG_TESTS; i++) {
		const struct arg_test *t = &rule->test[i];
		if (t->mask == 0)
			continue;
		emit(a, BPF_LD | BPF_W | BPF_ABS, low_half_of_arg(t->arg), 0, 0);
		if (t->mask != UINT32_MAX)
			emit(a, BPF_ALU | BPF_AND | BPF_K, t->mask, 0, 0);
		jumps[n_jumps++] = a->n;
		emit(a, BPF_JMP | BPF_JEQ | BPF_K, t->value, 0, 0);
	}
	emit(a, BPF_RET | BPF_K, rule->action, 0, 0);
	for (size_t i = 0; i < n_jumps; i++)
		land_false(a, jumps[i]);
}

static void emit_filtered(struct assembler *a, const struct filtered_call *f, uint32_t number)
{
	size_t other_call = a->n;

	emit(a, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 0);
	for (size_t i = 0; i < f->n_rules; i++)
		emit_rule(a, &f->rules[i]);
	emit(a, BPF_RET | BPF_K, f->otherwise, 0, 0);
	land_false(a, other_call);
}

static int assemble_filtered(const struct profile *profile, struct assembler *a)
{
	size_t other_arch;

	if (profile->n_filtered == 0)
		return 0;
	/* Another architecture's numbers mean other calls: those go on to libseccomp's part, which refuses them. */
	emit(a, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	other_arch = a->n;
	emit(a, BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 0, 0);
	emit(a, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	for (size_t i = 0; i < profile->n_filtered; i++) {
		int number = seccomp_syscall_resolve_name(profile->filtered[i].call);
		if (number >= 0)
			emit_filtered(a, &profile->filtered[i], (uint32_t)number);
	}
	land_false(a, other_arch);
	return a->overflow ? -E2BIG : 0;
}

static uint32_t action_of(enum verdict verdict)
{
	static const uint32_t actions[] = {
		[VERDICT_ALLOW] = SCMP_ACT_ALLOW,
		[VERDICT_EPERM] = SCMP_ACT_ERRNO(EPERM),
		[VERDICT_ENOSYS] = SCMP_ACT_ERRNO(ENOSYS),
	};

	return actions[verdict];
}

static int add_row(
	scmp_filter_ctx ctx, const struct profile *profile, const struct call_row *row, char name[CALL_NAME_MAX])
{
	uint32_t action = action_of(row->verdict);
	const char *names = row->calls;
	int number, r;

	/* libseccomp takes no rule that says what the default action says. */
	if (action == profile->unknown)
		return 0;
	while ((r = profile_next_call(&names, name, &number)) > 0) {
		int known = seccomp_syscall_resolve_name(name);
		if (known != __NR_SCMP_ERROR)
			number = known;
		if (number < 0) /* not on this architecture, or newer than libseccomp and without a number */
			continue;
		r = seccomp_rule_add(ctx, action, number, 0);
		if (r < 0)
			return r;
	}
	return r;
}

static int set_attributes(scmp_filter_ctx ctx, const struct profile *profile)
{
	static const struct {
		enum scmp_filter_attr attr;
		uint32_t value;
	} fixed[] = {
		{SCMP_FLTATR_CTL_NNP, 0},      /* no_new_privs would end su and sudo */
		{SCMP_FLTATR_CTL_OPTIMIZE, 2}, /* binary tree */
	};
	int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, profile->bad_arch);

	for (size_t i = 0; i < ARRAY_SIZE(fixed) && r == 0; i++)
		r = seccomp_attr_set(ctx, fixed[i].attr, fixed[i].value);
	return r;
}

static void release_p(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

static int failed(struct error *e, const struct profile *profile, const char *what, int r)
{
	return error_set(e, VE_E_FAILED, -r, TRIED, REMEDY, "the profile %s cannot be compiled: %s: %s", profile->name,
		what, strerror(-r));
}

/* libseccomp's part, in a memfd. */
static int export_numbers(const struct profile *profile, int memfd, struct error *e)
{
	__attribute__((cleanup(release_p))) scmp_filter_ctx ctx = seccomp_init(profile->unknown);
	char name[CALL_NAME_MAX] = "";
	int r;

	if (!ctx)
		return failed(e, profile, "memory", -ENOMEM);
	r = set_attributes(ctx, profile);
	if (r < 0)
		return failed(e, profile, "attributes", r);
	for (size_t i = 0; i < profile->n_rows; i++) {
		r = add_row(ctx, profile, &profile->rows[i], name);
		if (r < 0)
			return failed(e, profile, name, r);
	}
	r = seccomp_export_bpf(ctx, memfd);
	return r < 0 ? failed(e, profile, "export", r) : 0;
}

/* Puts the assembled part and what the memfd holds together. */
static int join(const struct profile *profile, const struct assembler *a, int memfd, void **ret, size_t *ret_size,
	struct error *e)
{
	cleanup_free char *program = NULL;
	size_t head = a->n * sizeof(a->code[0]), tail;
	struct stat st;
	ssize_t n;

	if (fstat(memfd, &st) < 0)
		return error_sys(e, errno, TRIED, "memfd");
	tail = (size_t)st.st_size;
	if (tail == 0 || tail % sizeof(struct sock_filter) != 0 ||
		head + tail > BPF_MAXINSNS * sizeof(struct sock_filter))
		return failed(e, profile, "size", -E2BIG);
	program = malloc(head + tail);
	if (!program)
		return error_sys(e, ENOMEM, TRIED, "memory");
	memcpy(program, a->code, head);
	n = pread(memfd, program + head, tail, 0);
	if (n < 0 || (size_t)n != tail)
		return error_sys(e, n < 0 ? errno : EIO, TRIED, "memfd");
	*ret = TAKE_PTR(program);
	*ret_size = head + tail;
	return 0;
}

int program_compile(const struct profile *profile, void **ret, size_t *ret_size, struct error *e)
{
	cleanup_fd int memfd = -EBADF;
	struct assembler a = {.n = 0};
	int r = assemble_filtered(profile, &a);

	if (r < 0)
		return failed(e, profile, "rules by argument", r);
	memfd = memfd_create("seccomp", MFD_CLOEXEC);
	if (memfd < 0)
		return error_sys(e, errno, TRIED, "memfd_create");
	r = export_numbers(profile, memfd, e);
	return r < 0 ? r : join(profile, &a, memfd, ret, ret_size, e);
}

void program_render_policy(const struct profile *profile, FILE *f)
{
	fprintf(f, "unknown %x arch %x\n", profile->unknown, profile->bad_arch);
	for (size_t i = 0; i < profile->n_rows; i++)
		fprintf(f, "%x %s\n", action_of(profile->rows[i].verdict), profile->rows[i].calls);
	for (size_t i = 0; i < profile->n_filtered; i++) {
		const struct filtered_call *c = &profile->filtered[i];
		for (size_t j = 0; j < c->n_rules; j++) {
			const struct arg_test *t = c->rules[j].test;
			_Static_assert(ARG_TESTS == 2, "every test has to be written");
			fprintf(f, "%s %u&%x=%x %u&%x=%x %x\n", c->call, t[0].arg, t[0].mask, t[0].value, t[1].arg,
				t[1].mask, t[1].value, c->rules[j].action);
		}
		fprintf(f, "%s %x\n", c->call, c->otherwise);
	}
}
