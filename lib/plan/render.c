/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan for people (text), for programs (JSON), and for the programs in libexec (wire.h). */
#include <ctype.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "config.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/plan/plan.h"

static const char *const op_name[OP_COUNT] = {
#define X(op, actor, name, doc) [OP_##op] = name,
	PLAN_OPS(X)
#undef X
};
static const char *const op_doc[OP_COUNT] = {
#define X(op, actor, name, doc) [OP_##op] = doc,
	PLAN_OPS(X)
#undef X
};

const char *plan_actor_name(int actor)
{
	static const char *const name[] = {"caller", "keeper", "entrant", "init"};
	return actor >= 0 && actor < ACTOR_COUNT ? name[actor] : "?";
}

const char *plan_op_name(int op)
{
	return op >= 0 && op < OP_COUNT ? op_name[op] : "?";
}

/* NULs of a list become spaces. */
static void add_string(char **p, char *end, const char *s, size_t len)
{
	for (size_t i = 0; i < len && *p < end; i++)
		*(*p)++ = s[i] ? s[i] : ' ';
}

/* ---- numbers by the names that people know them by */

static const struct {
	uint64_t bit;
	const char *name;
} attributes[] = {{MOUNT_ATTR_RDONLY, "ro"}, {MOUNT_ATTR_NOSUID, "nosuid"}, {MOUNT_ATTR_NODEV, "nodev"},
	{MOUNT_ATTR_NOEXEC, "noexec"}, {MOUNT_ATTR_NOATIME, "noatime"}, {MOUNT_ATTR_STRICTATIME, "strictatime"},
	{MOUNT_ATTR_NODIRATIME, "nodiratime"}},
  namespaces[] = {{CLONE_NEWUSER, "user"}, {CLONE_NEWNS, "mnt"}, {CLONE_NEWPID, "pid"}, {CLONE_NEWNET, "net"},
	  {CLONE_NEWUTS, "uts"}, {CLONE_NEWIPC, "ipc"}, {CLONE_NEWCGROUP, "cgroup"}, {CLONE_NEWTIME, "time"}};

static const char *const resources[] = {[RLIMIT_AS] = "as",
	[RLIMIT_CORE] = "core",
	[RLIMIT_CPU] = "cpu",
	[RLIMIT_DATA] = "data",
	[RLIMIT_FSIZE] = "fsize",
	[RLIMIT_LOCKS] = "locks",
	[RLIMIT_MEMLOCK] = "memlock",
	[RLIMIT_MSGQUEUE] = "msgqueue",
	[RLIMIT_NICE] = "nice",
	[RLIMIT_NOFILE] = "nofile",
	[RLIMIT_NPROC] = "nproc",
	[RLIMIT_RSS] = "rss",
	[RLIMIT_RTPRIO] = "rtprio",
	[RLIMIT_RTTIME] = "rttime",
	[RLIMIT_SIGPENDING] = "sigpending",
	[RLIMIT_STACK] = "stack"};

/* "a,b,0x40": what has no name stays a number. */
#define NAMES(table, bits, buf, size) names_of_bits(table, ARRAY_SIZE(table), bits, buf, size)
static void names_of_bits(const __typeof__(attributes[0]) *table, size_t n, uint64_t bits, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n && used < size; i++)
		if (bits & table[i].bit) {
			used += snprintf(buf + used, size - used, "%s%s", used ? "," : "", table[i].name);
			bits &= ~table[i].bit;
		}
	if (bits && used < size)
		snprintf(buf + used, size - used, "%s0x%llx", used ? "," : "", (unsigned long long)bits);
	else if (!used)
		snprintf(buf, size, "none");
}

static void free_cap_text(char **text)
{
	cap_free(*text);
}
#define cleanup_cap_text __attribute__((cleanup(free_cap_text)))

static void capability_names(uint64_t mask, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (int c = 0; c < 64 && used < size; c++) {
		cleanup_cap_text char *name =
			mask >> c & 1 ? cap_to_name(c) : NULL; /* a number where libcap knows none */

		if (mask >> c & 1)
			used += snprintf(buf + used, size - used, "%s%s", used ? "," : "",
				name ? name + (strncmp(name, "cap_", 4) ? 0 : 4) : "?");
	}
	if (!used)
		snprintf(buf, size, "none");
}

/* What stands for `kind` and a number in an operation's text: n decimal, x hexadecimal, m as a hardware address, and
 * names of what it is. */
static void number_text(char kind, int64_t n, char *buf, size_t size)
{
	switch (kind) {
	case 'a':
		NAMES(attributes, (uint64_t)n, buf, size);
		break;
	case 'f':
		NAMES(namespaces, (uint64_t)n, buf, size);
		break;
	case 'c':
		capability_names((uint64_t)n, buf, size);
		break;
	case 'm':
		snprintf(buf, size, "%02x:%02x:%02x:%02x:%02x:%02x", (unsigned)(n >> 40 & 255),
			(unsigned)(n >> 32 & 255), (unsigned)(n >> 24 & 255), (unsigned)(n >> 16 & 255),
			(unsigned)(n >> 8 & 255), (unsigned)(n & 255));
		break;
	case 'r':
		if (n >= 0 && (size_t)n < ARRAY_SIZE(resources))
			snprintf(buf, size, "%s", resources[n]);
		else
			snprintf(buf, size, "resource %lld", (long long)n);
		break;
	default:
		/* -1 among limits is RLIM_INFINITY */
		if (n == -1)
			snprintf(buf, size, "unlimited");
		else
			snprintf(buf, size, kind == 'x' ? "0x%llx" : "%lld", (long long)n);
	}
}

/* "{0=2, text}", "{0&2, text}": text where the number is that, or has that bit. */
static int is_shown(const struct plan_step *s, const char *d)
{
	int64_t n = s->n[d[1] - '0'], with = d[3] - '0';
	return d[2] == '=' ? n == with : (n & with) != 0;
}

void plan_step_text(const struct plan_step *s, char *buf, size_t size)
{
	char *p = buf, *end = buf + size - 1, number[700];
	for (const char *d = op_doc[s->op]; *d && p < end; d++) {
		int word = d == op_doc[s->op] || !isalnum((unsigned char)d[-1]);
		int k = d[1] >= '0' && d[1] <= '2' && !isalnum((unsigned char)d[2]) ? d[1] - '0' : -1;
		if (*d == '{')
			d += is_shown(s, d) ? 3 : (int)strcspn(d, "}");
		else if (*d == '}')
			continue;
		else if (word && k >= 0 && *d == 's') {
			add_string(&p, end, s->s[k] ? s->s[k] : "", s->len[k]);
			d++;
		} else if (word && k >= 0 && strchr("nxafcrm", *d)) {
			number_text(*d, s->n[k], number, sizeof number);
			add_string(&p, end, number, strlen(number));
			d++;
		} else
			*p++ = *d;
	}
	*p = 0;
}

int plan_text(const struct plan *p, char **ret, struct error *e)
{
	char *text = NULL, line[1024];
	size_t size;
	FILE *f = open_memstream(&text, &size);
	if (!f)
		return error_sys(e, errno, "print the plan", "memory");
	for (size_t i = 0; i < p->nsteps; i++) {
		const struct plan_step *s = &p->step[i];
		plan_step_text(s, line, sizeof line);
		fprintf(f, "%3zu %-8s%-20s %s%s\n", i, plan_actor_name(s->actor), plan_op_name(s->op), line,
			s->optional ? " (or go on without)" : "");
	}
	for (size_t i = 0; i < p->nnotes; i++)
		fprintf(f, "note: %s\n", p->note[i]);
	if (fclose(f)) {
		free(text);
		return error_sys(e, ENOMEM, "print the plan", "memory");
	}
	*ret = text;
	return 0;
}

static void args_json(struct json_writer *w, const struct plan_step *s)
{
	char key[3] = "s0";
	jw_object(w, "args");
	for (int k = 0; k < 3; k++) {
		key[0] = 's';
		key[1] = '0' + k;
		if (!s->s[k])
			continue;
		if (!memchr(s->s[k], 0, s->len[k])) {
			jw_string(w, key, s->s[k]);
			continue;
		}
		jw_array(w, key);
		for (const char *p = s->s[k]; p <= s->s[k] + s->len[k]; p += strlen(p) + 1)
			jw_string(w, NULL, p);
		jw_end(w);
	}
	for (int k = 0; k < 3; k++) {
		key[0] = 'n';
		key[1] = '0' + k;
		if (s->n[k])
			jw_integer(w, key, s->n[k]);
	}
	jw_end(w);
}

int plan_json(const struct plan *p, char **ret, struct error *e)
{
	struct json_writer *w = jw_new(1);
	char text[1024];
	if (!w)
		return error_sys(e, ENOMEM, "print the plan", "memory");
	jw_object(w, NULL);
	jw_integer(w, "format", 1);
	jw_string(w, "ve", p->name);
	jw_array(w, "steps");
	for (size_t i = 0; i < p->nsteps; i++) {
		const struct plan_step *s = &p->step[i];
		plan_step_text(s, text, sizeof text);
		jw_object(w, NULL);
		jw_integer(w, "index", i);
		jw_string(w, "actor", plan_actor_name(s->actor));
		jw_string(w, "op", plan_op_name(s->op));
		jw_string(w, "text", text);
		jw_bool(w, "optional", s->optional);
		args_json(w, s);
		jw_end(w);
	}
	jw_end(w);
	jw_array(w, "notes");
	for (size_t i = 0; i < p->nnotes; i++)
		jw_string(w, NULL, p->note[i]);
	jw_end(w);
	jw_end(w);
	int r = jw_finish(w, ret);
	return r ? error_sys(e, -r, "print the plan", "memory") : 0;
}

/* ---- wire */

static size_t wire_size(const struct plan *p, const struct plan_blob *blobs)
{
	size_t n = sizeof(struct wire_header) + p->nsteps * sizeof(struct wire_step);
	for (size_t i = 0; i < p->nsteps; i++)
		for (int k = 0; k < 3; k++)
			if (p->step[i].s[k])
				n += p->step[i].len[k] + 1;
	n = (n + 7) & ~(size_t)7;
	for (int i = 0; i < BLOB_COUNT; i++)
		n += blobs[i].size; /* multiples of 8 */
	return n;
}

static void wire_fill(const struct plan *p, const struct plan_blob *blobs, uint32_t fault_step, char *m, size_t size)
{
	struct wire_header *h = (struct wire_header *)m;
	size_t at = sizeof *h + p->nsteps * sizeof(struct wire_step);
	*h = (struct wire_header){.magic = WIRE_MAGIC,
		.size = size,
		.owner = p->ids.owner,
		.base = p->ids.base,
		.nsteps = p->nsteps,
		.listen_fds = p->listen_fds,
		.fault_step = fault_step};
	snprintf(h->version, sizeof h->version, "%s", VE_VERSION);
	snprintf(h->name, sizeof h->name, "%s", p->name);
	for (size_t i = 0; i < p->nsteps; i++) {
		const struct plan_step *s = &p->step[i];
		struct wire_step *w = &h->step[i];
		w->actor = s->actor;
		w->op = s->op;
		w->index = i;
		w->optional = s->optional;
		for (int k = 0; k < 3; k++) {
			w->n[k] = s->n[k];
			if (!s->s[k])
				continue;
			w->s[k] = at;
			w->len[k] = s->len[k];
			memcpy(m + at, s->s[k], s->len[k] + 1);
			at += s->len[k] + 1;
		}
	}
	at = (at + 7) & ~(size_t)7;
	for (int i = 0; i < BLOB_COUNT; i++) {
		h->blob[i] = (struct wire_blob){blobs[i].size ? at : 0, blobs[i].size};
		if (blobs[i].size)
			memcpy(m + at, blobs[i].data, blobs[i].size);
		at += blobs[i].size;
	}
}

int plan_encode(const struct plan *p, const struct plan_blob blobs[BLOB_COUNT], uint32_t fault_step, struct error *e)
{
	static const char tried[] = "hand over the plan";
	size_t size = wire_size(p, blobs);
	cleanup_free char *m = calloc(1, size);
	if (!m)
		return error_sys(e, ENOMEM, tried, "memory");
	wire_fill(p, blobs, fault_step, m, size);
	cleanup_fd int fd = memfd_create("ve-plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return error_sys(e, errno, tried, "memfd_create");
	int r = write_all(fd, m, size);
	if (r < 0)
		return error_sys(e, -r, tried, "memfd");
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
		return error_sys(e, errno, tried, "sealing the memfd");
	return TAKE_FD(fd);
}
