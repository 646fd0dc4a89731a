/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What crosses from libve to the programs in libexec: nothing that does not lie inside may be accepted. */
#include "tests/unit/fixture.h"
#include "tests/unit/planning.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <stddef.h>

#include "config.h"
#include "lib/plan/wire_read.h"

TestSuite(wire, .timeout = 100);

static const struct sock_filter program[] = {
	{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
	{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 39},
	{BPF_RET | BPF_K, 0, 0, 0x7fff0000},
};

static int encode(const struct plan *p, uint32_t fault)
{
	const struct plan_blob blobs[BLOB_COUNT] = {
		[BLOB_SECCOMP_VE] = {program, sizeof(program)},
		[BLOB_SECCOMP_SUPERVISOR] = {program, sizeof(program[0])},
	};
	struct error e = {0};
	int fd = plan_encode(p, blobs, fault, &e);

	cr_assert_geq(fd, 0, "%s", e.wrong);
	return fd;
}

/* The bytes in a block of exactly their size, so that AddressSanitizer sees a read past them. */
static char *encoded(size_t *ret_size)
{
	cleanup_plan struct plan *p = make_plan(&spec_cases[5], &host_cases[0]);
	cleanup_fd int fd = encode(p, ~0u);
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	char *data = malloc(st.st_size);
	cr_assert_eq(pread(fd, data, st.st_size, 0), st.st_size);
	*ret_size = st.st_size;
	return data;
}

Test(wire, round_trip)
{
	for (size_t i = 0; i < ARRAY_SIZE(spec_cases); i++) {
		cleanup_plan struct plan *p = make_plan(&spec_cases[i], &host_cases[i % ARRAY_SIZE(host_cases)]);
		cleanup_fd int fd = encode(p, 17);
		const struct wire_header *h = wire_map(fd, VE_VERSION);

		cr_assert_not_null(h);
		cr_expect_str_eq(h->name, "web1");
		cr_expect_str_eq(h->version, VE_VERSION);
		cr_expect_eq(h->owner, p->ids.owner);
		cr_expect_eq(h->base, p->ids.base);
		cr_expect_eq(h->fault_step, 17);
		cr_assert_eq(h->nsteps, p->nsteps);
		for (size_t k = 0; k < p->nsteps; k++) {
			const struct plan_step *a = &p->step[k];
			const struct wire_step *b = &h->step[k];
			cr_expect_eq(b->index, k);
			cr_expect_eq(b->op, a->op);
			cr_expect_eq(b->actor, a->actor);
			cr_expect_eq(b->optional, a->optional);
			cr_expect_eq(memcmp(a->n, b->n, sizeof(a->n)), 0);
			for (int j = 0; j < 3; j++) {
				cr_expect_eq(b->len[j], a->len[j]);
				cr_expect_eq(!b->s[j], !a->s[j]);
				cr_expect_eq(memcmp(wire_string(h, b, j), a->s[j] ? a->s[j] : "", a->len[j] + 1), 0,
					"step %zu, string %d", k, j);
			}
		}
		const struct wire_blob *ve = &h->blob[BLOB_SECCOMP_VE], *sv = &h->blob[BLOB_SECCOMP_SUPERVISOR];
		cr_expect_eq(ve->size, sizeof(program));
		cr_expect_eq(memcmp((const char *)h + ve->offset, program, sizeof(program)), 0);
		cr_expect_eq(sv->size, sizeof(program[0]));
		cr_expect_eq(memcmp((const char *)h + sv->offset, program, sizeof(program[0])), 0);
		munmap((void *)h, h->size);
	}
}

Test(wire, find)
{
	size_t size;
	cleanup_free char *data = encoded(&size);
	const struct wire_header *h = wire_check(data, size, VE_VERSION);

	cr_assert_not_null(h);
	cr_expect_eq(wire_find(h, OP_RESERVE_IDS), &h->step[0]);
	cr_expect_eq(wire_find(h, OP_EXEC), &h->step[h->nsteps - 1]);
	cr_expect_null(wire_find(h, OP_COUNT));
	cr_expect_str_eq(wire_string(h, wire_find(h, OP_HOSTNAME), 0), "h");
	cr_expect_str_eq(wire_string(h, wire_find(h, OP_HOSTNAME), 1), "");
}

Test(wire, the_memfd_is_sealed)
{
	cleanup_plan struct plan *p = make_plan(&spec_cases[0], &host_cases[0]);
	cleanup_fd int fd = encode(p, ~0u);

	cr_expect_eq(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	cr_expect_eq(pwrite(fd, "x", 1, 0), -1);
	cr_expect_eq(ftruncate(fd, 16), -1);
}

Test(wire, blobs_may_be_absent)
{
	cleanup_plan struct plan *p = make_plan(&spec_cases[0], &host_cases[0]);
	const struct plan_blob none[BLOB_COUNT] = {{0}};
	struct error e = {0};
	cleanup_fd int fd = plan_encode(p, none, ~0u, &e);
	const struct wire_header *h = wire_map(fd, VE_VERSION);

	cr_assert_not_null(h);
	cr_expect_eq(h->blob[BLOB_SECCOMP_VE].size, 0);
	cr_expect_eq(h->blob[BLOB_SECCOMP_SUPERVISOR].size, 0);
	munmap((void *)h, h->size);
}

Test(wire, map_refuses_what_is_no_plan)
{
	cleanup_fd int empty = memfd_create("empty", MFD_CLOEXEC), text = memfd_create("text", MFD_CLOEXEC);

	cr_expect_null(wire_map(empty, VE_VERSION));
	cr_expect_null(wire_map(-1, VE_VERSION));
	cr_assert_eq(write_all(text, "no plan at all\n", 15), 0);
	cr_expect_null(wire_map(text, VE_VERSION));
	cr_assert_eq(ftruncate(text, 1 << 20), 0);
	cr_expect_null(wire_map(text, VE_VERSION));
}

Test(wire, truncated_anywhere)
{
	size_t size;
	cleanup_free char *data = encoded(&size);

	cr_assert_not_null(wire_check(data, size, VE_VERSION));
	for (size_t n = 0; n < size; n += n < 4096 ? 1 : 13) {
		char *part = malloc(n ? n : 1);
		memcpy(part, data, n);
		cr_assert_null(wire_check(part, n, VE_VERSION), "%zu of %zu bytes", n, size);
		/* Nor when the header owns up to it. */
		if (n >= sizeof(struct wire_header)) {
			((struct wire_header *)part)->size = (uint32_t)n;
			cr_assert_null(wire_check(part, n, VE_VERSION), "%zu of %zu bytes", n, size);
		}
		free(part);
	}
}

Test(wire, version)
{
	size_t size;
	cleanup_free char *data = encoded(&size);
	struct wire_header *h = (struct wire_header *)data;

	cr_expect_null(wire_check(data, size, VE_VERSION "x"));
	cr_expect_null(wire_check(data, size, ""));
	h->version[strlen(VE_VERSION)] = 'x';
	cr_expect_null(wire_check(data, size, VE_VERSION));
	h->version[strlen(VE_VERSION)] = 0;
	cr_expect_not_null(wire_check(data, size, VE_VERSION));
	memset(h->version, '1', sizeof(h->version));
	cr_expect_null(wire_check(data, size, VE_VERSION));
}

enum where { HEADER, STEP };

/* One number set to what it can never be; `add` is relative to the size of the whole. */
static const struct {
	const char *what;
	enum where where;
	size_t offset, bytes;
	uint64_t value;
	int add;
} wrong[] = {
#define H(field, value, add)                                                                                           \
	{                                                                                                              \
#field " " #value, HEADER, offsetof(struct wire_header, field), sizeof(uint32_t), value, add           \
	}
#define S(field, bytes, value, add)                                                                                    \
	{                                                                                                              \
#field " " #value, STEP, offsetof(struct wire_step, field), bytes, value, add                          \
	}
	H(magic, 0x31504557, 0),
	H(magic, 0x45563150, 0),
	H(size, 1, 1),
	H(size, -1, 1),
	H(size, 0, 0),
	H(nsteps, 4097, 0),
	H(nsteps, UINT32_MAX, 0),
	H(nsteps, UINT32_MAX / sizeof(struct wire_step) + 2, 0),
	H(blob[0].offset, 8, 1),
	H(blob[0].offset, -8, 1),
	H(blob[0].offset, 4, 0),
	H(blob[0].offset, UINT32_MAX - 7, 0),
	H(blob[0].size, UINT32_MAX - 7, 0),
	H(blob[0].size, 12, 0),
	H(blob[0].size, 0, 1),
	H(blob[1].offset, 8, 1),
	H(blob[1].size, UINT32_MAX - 7, 0),
	H(blob[1].size, 1, 0),
	S(actor, 2, ACTOR_COUNT, 0),
	S(actor, 2, 0xffff, 0),
	S(op, 2, OP_COUNT, 0),
	S(op, 2, 0xffff, 0),
	S(index, 2, 3, 0),
	S(s[0], 4, 0, 1),
	S(s[0], 4, -1, 1),
	S(s[0], 4, UINT32_MAX, 0),
	S(len[0], 4, 0, 1),
	S(len[0], 4, UINT32_MAX, 0),
	S(len[1], 4, 1, 0),
	S(len[2], 4, UINT32_MAX, 0),
};

Test(wire, numbers_out_of_range)
{
	size_t size;
	cleanup_free char *data = encoded(&size);
	struct wire_header *h = (struct wire_header *)data;
	uint32_t step = wire_find(h, OP_RUNTIME_DIR)->index;

	cr_assert(h->step[step].s[0] && !h->step[step].s[1] && !h->step[step].s[2]);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		cleanup_free char *copy = malloc(size);
		char *base = wrong[i].where == HEADER ? copy : copy + ((char *)&h->step[step] - data);
		uint64_t value = wrong[i].value + (wrong[i].add ? size : 0);
		memcpy(copy, data, size);
		memcpy(base + wrong[i].offset, &value,
			wrong[i].bytes); /* little end first, as all that vectl runs on */
		cr_expect_null(
			wire_check(copy, size, VE_VERSION), "%s%s", wrong[i].what, wrong[i].add ? " + size" : "");
	}
	cr_expect_not_null(wire_check(data, size, VE_VERSION));
}

/* A program of 65537 instructions would be loaded as one of one: the kernel's count has 16 bits. */
Test(wire, a_program_too_long_for_the_kernel)
{
	cleanup_plan struct plan *p = make_plan(&spec_cases[0], &host_cases[0]);
	cleanup_free char *many = calloc(65537, 8);
	const size_t count[] = {4096, 4097, 65536, 65537};

	for (size_t i = 0; i < ARRAY_SIZE(count); i++) {
		const struct plan_blob blobs[BLOB_COUNT] = {[BLOB_SECCOMP_VE] = {many, count[i] * 8}};
		struct error e = {0};
		cleanup_fd int fd = plan_encode(p, blobs, ~0u, &e);
		const struct wire_header *h = wire_map(fd, VE_VERSION);
		cr_expect_eq(h != NULL, i == 0, "%zu instructions", count[i]);
	}
}

Test(wire, strings_that_do_not_end)
{
	size_t size;
	cleanup_free char *data = encoded(&size);
	struct wire_header *h = (struct wire_header *)data;
	unsigned tried = 0;

	for (uint32_t i = 0; i < h->nsteps; i++)
		for (int k = 0; k < 3; k++) {
			const struct wire_step *s = &h->step[i];
			if (!s->s[k])
				continue;
			data[s->s[k] + s->len[k]] = 'x';
			cr_expect_null(wire_check(data, size, VE_VERSION), "step %u, string %d", i, k);
			data[s->s[k] + s->len[k]] = 0;
			tried++;
		}
	cr_expect_gt(tried, 60);
	memset(h->name, 'x', sizeof(h->name));
	cr_expect_null(wire_check(data, size, VE_VERSION));
}

/* The string's last byte may be the whole's last, its NUL may not lie one past it, even where memory goes on with one.
 */
Test(wire, a_string_up_to_the_end)
{
	size_t size;
	cleanup_free char *data = encoded(&size), *longer = calloc(1, size + 1);
	memcpy(longer, data, size);
	struct wire_header *h = (struct wire_header *)longer;
	struct wire_step *s = &h->step[0];

	memset(h->blob, 0, sizeof(h->blob));
	longer[size - 1] = 0;
	s->s[0] = (uint32_t)size - 5;
	s->len[0] = 4;
	cr_expect_not_null(wire_check(longer, size, VE_VERSION));
	s->len[0] = 5;
	cr_expect_null(wire_check(longer, size, VE_VERSION));
	s->s[0] = (uint32_t)size;
	s->len[0] = 0;
	cr_expect_null(wire_check(longer, size, VE_VERSION));
}

Test(wire, more_steps_than_any_plan_has)
{
	const uint32_t count[] = {0, 1, 4096, 4097};

	for (size_t i = 0; i < ARRAY_SIZE(count); i++) {
		size_t size = sizeof(struct wire_header) + count[i] * sizeof(struct wire_step);
		cleanup_free struct wire_header *h = calloc(1, size);
		h->magic = WIRE_MAGIC;
		h->size = (uint32_t)size;
		h->nsteps = count[i];
		memcpy(h->version, VE_VERSION, sizeof(VE_VERSION));
		for (uint32_t k = 0; k < count[i]; k++)
			h->step[k].index = (uint16_t)k;
		cr_expect_eq(wire_check(h, size, VE_VERSION) != NULL, count[i] <= 4096, "%u steps", count[i]);
	}
}

/* ---- bytes changed at random */

static uint64_t seed = 0x9e3779b97f4a7c15u;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static volatile unsigned sink;

/* Reads all that the programs in libexec would; what lies outside is AddressSanitizer's to find, and ours. */
static void use(const struct wire_header *h, size_t size)
{
	const char *begin = (const char *)h, *end = begin + size;

	cr_assert_leq((const char *)&h->step[h->nsteps], end);
	cr_assert_not_null(memchr(h->name, 0, sizeof(h->name)));
	for (uint32_t i = 0; i < h->nsteps; i++) {
		const struct wire_step *s = &h->step[i];
		cr_assert(s->op < OP_COUNT && s->actor < ACTOR_COUNT && s->index == i);
		for (int k = 0; k < 3; k++) {
			const char *p = wire_string(h, s, k);
			if (s->s[k])
				cr_assert(p >= begin && p + s->len[k] < end, "step %u, string %d", i, k);
			for (uint32_t j = 0; j <= s->len[k]; j++)
				sink += (unsigned char)p[j];
			cr_assert_eq(p[s->len[k]], 0);
		}
	}
	for (int i = 0; i < BLOB_COUNT; i++) {
		cr_assert_leq((uint64_t)h->blob[i].offset + h->blob[i].size, size);
		for (uint32_t j = 0; j < h->blob[i].size; j++)
			sink += (unsigned char)begin[h->blob[i].offset + j];
	}
}

static void mutate(char *data, size_t size)
{
	static const uint32_t interesting[] = {
		0, 1, 7, 8, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};
	/* Most of what can go wrong stands in the header and the steps' table. */
	const struct wire_header *h = (const struct wire_header *)data;
	size_t table = sizeof(*h) + (h->nsteps < 200 ? h->nsteps : 200) * sizeof(h->step[0]);
	size_t room = next_random() % 4 && table < size ? table : size, at = next_random() % (room - 4);
	uint32_t v;

	switch (next_random() % 4) {
	case 0:
		data[at] ^= (char)(1 << next_random() % 8);
		break;
	case 1:
		data[at] = (char)next_random();
		break;
	case 2:
		v = interesting[next_random() % ARRAY_SIZE(interesting)];
		memcpy(data + (at & ~(size_t)3), &v, sizeof(v));
		break;
	default:
		v = (uint32_t)(size + next_random() % 32 - 16);
		memcpy(data + (at & ~(size_t)3), &v, sizeof(v));
	}
}

Test(wire, random_mutations)
{
	size_t size;
	cleanup_free char *data = encoded(&size);
	unsigned accepted = 0, refused = 0;

	for (int i = 0; i < 20000; i++) {
		size_t n = next_random() % 8 ? size : 1 + next_random() % size;
		char *copy = malloc(n);
		memcpy(copy, data, n);
		if (n < size && n >= sizeof(struct wire_header))
			((struct wire_header *)copy)->size = (uint32_t)n;
		for (unsigned k = 0, times = 1 + next_random() % 3; k < times && n >= sizeof(struct wire_header); k++)
			mutate(copy, n);
		const struct wire_header *h = wire_check(copy, n, VE_VERSION);
		if (h)
			use(h, n);
		accepted += h != NULL;
		refused += h == NULL;
		free(copy);
	}
	/* Both ways were walked often. */
	cr_expect_gt(accepted, 2000);
	cr_expect_gt(refused, 2000);
}
