/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/net/traffic.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>

#include "lib/base/file.h"
#include "lib/base/util.h"

enum {
	NUMBERS = sizeof(struct firewall_traffic) / sizeof(uint64_t),
	FILE_MAX = 1 << 24,
	RECORD_MAX = 1 << 20,
	LINE_MAX_ = 512,
	LOOKS = 8,
};

static uint64_t *numbers(struct firewall_traffic *t)
{
	return (void *)t;
}

/* ---- the text: "traffic 1 COUNT", and "NAME HOST|- TABLE TOTAL... SEEN..." for each */

/* Digits alone, behind a space; what JSON can carry. */
static int read_numbers(const char **at, uint64_t *ret, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		char *end;
		if (**at != ' ' || (*at)[1] < '0' || (*at)[1] > '9')
			return -EBADMSG;
		errno = 0;
		ret[k] = strtoull(*at + 1, &end, 10);
		if (errno || ret[k] > INT64_MAX)
			return -EBADMSG;
		*at = end;
	}
	return 0;
}

static struct traffic_total *find(const struct traffic *t, const char *name)
{
	for (size_t k = 0; k < t->n; k++)
		if (!strcmp(t->of[k].name, name))
			return &t->of[k];
	return NULL;
}

static struct traffic_total *append(struct traffic *t, const char *name)
{
	struct traffic_total *more = realloc(t->of, (t->n + 1) * sizeof *more);
	if (!more)
		return NULL;
	t->of = more;
	more += t->n++;
	*more = (struct traffic_total){0};
	FORMAT(more->name, "%s", name);
	return more;
}

static int read_line(const char *line, struct traffic *t)
{
	struct traffic_total o = {0};
	int end = 0;
	if (sscanf(line, "%15s %15s%n", o.name, o.host, &end) != 2 || *line == ' ' || find(t, o.name))
		return -EBADMSG;
	const char *at = line + end;
	if (read_numbers(&at, &o.table, 1) || read_numbers(&at, numbers(&o.total), NUMBERS) ||
		read_numbers(&at, numbers(&o.seen), NUMBERS) || *at)
		return -EBADMSG;
	for (size_t k = 0; k < NUMBERS; k++)
		if (numbers(&o.seen)[k] > numbers(&o.total)[k])
			return -EBADMSG;
	if (!strcmp(o.host, "-"))
		o.host[0] = 0;
	struct traffic_total *to = append(t, o.name);
	if (!to)
		return -ENOMEM;
	*to = o;
	return 0;
}

int traffic_parse(const char *text, struct traffic *ret)
{
	cleanup_traffic struct traffic t = {0};
	uint64_t count;
	const char *at = text + 9;
	if (strncmp(text, "traffic 1", 9) || read_numbers(&at, &count, 1) || *at != '\n')
		return -EBADMSG;
	for (at++; *at;) {
		char line[LINE_MAX_];
		size_t length = strcspn(at, "\n");
		if (!at[length] || FORMAT(line, "%.*s", (int)length, at) < 0)
			return -EBADMSG; /* cut off, too */
		int r = read_line(line, &t);
		if (r)
			return r;
		at += length + 1;
	}
	if (t.n != count)
		return -EBADMSG;
	*ret = t;
	t.of = NULL;
	return 0;
}

int traffic_text(const struct traffic *t, char **ret)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	if (!f)
		return -ENOMEM;
	fprintf(f, "traffic 1 %zu\n", t->n);
	for (size_t k = 0; k < t->n; k++) {
		struct traffic_total *o = &t->of[k];
		fprintf(f, "%s %s %" PRIu64, o->name, *o->host ? o->host : "-", o->table);
		for (size_t m = 0; m < NUMBERS; m++)
			fprintf(f, " %" PRIu64, numbers(&o->total)[m]);
		for (size_t m = 0; m < NUMBERS; m++)
			fprintf(f, " %" PRIu64, numbers(&o->seen)[m]);
		fputc('\n', f);
	}
	if (fclose(f)) {
		free(text);
		return -ENOMEM;
	}
	*ret = text;
	return 0;
}

/* ---- counting */

static void forget(struct traffic_total *o)
{
	o->host[0] = 0;
	o->table = 0;
	o->seen = (struct firewall_traffic){0};
}

int traffic_add(struct traffic *t, const struct net_interface *i, const struct firewall_counters *now)
{
	struct firewall_traffic counted = now->traffic;
	struct traffic_total *o = find(t, i->name);
	if (!now->table) {
		/* The same end may be put back, from 0. */
		if (o && !strcmp(o->host, i->host))
			forget(o);
		return 0;
	}
	if (!o && !(o = append(t, i->name)))
		return -ENOMEM;
	if (strcmp(o->host, i->host) || o->table != now->table)
		forget(o);
	for (size_t k = 0; k < NUMBERS; k += 2) {
		uint64_t *seen = numbers(&o->seen) + k, *total = numbers(&o->total) + k;
		const uint64_t *more = numbers(&counted) + k;
		/* Bytes and packets are one counter, and each can be reset (nft reset) without the others. */
		if (more[0] < seen[0] || more[1] < seen[1])
			seen[0] = seen[1] = 0;
		total[0] += more[0] - seen[0];
		total[1] += more[1] - seen[1];
	}
	FORMAT(o->host, "%s", i->host);
	o->table = now->table;
	o->seen = counted;
	return 0;
}

static int add_all(struct ve_host *host, struct traffic *t, const struct net_interface *i, size_t n)
{
	cleanup_free struct firewall_counters *now = calloc(n + 1, sizeof *now);
	int r = now ? firewall_traffic(host, i, n, now) : -ENOMEM;
	for (size_t k = 0; k < n && !r; k++)
		r = traffic_add(t, &i[k], &now[k]);
	return r;
}

/* ---- the file */

static int open_folder(struct ve_host *host, const char *name)
{
	char path[PATH_MAX];
	if (FORMAT(path, "%s/ve/%s", host->data, name) < 0)
		return -ENAMETOOLONG;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static int is_damage(int r)
{
	return r == -EBADMSG || r == -EFBIG || r == -EISDIR || r == -ELOOP;
}

/* `tells`: whoever asks says that the file was damaged, and it is put aside; else it is left to one who does. */
static int save(struct ve_host *host, const char *name, const struct net_interface *i, size_t n, int wait, int tells)
{
	cleanup_traffic struct traffic t = {0};
	cleanup_free char *before = NULL, *after = NULL;
	int damaged = 0, r;
	cleanup_fd int dir = open_folder(host, name);
	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	/* Not the VE's change lock: its stop has that, and who remakes the tables meanwhile needs none. */
	while ((r = flock(dir, LOCK_EX)) && errno == EINTR)
		;
	if (r)
		return -errno;
	r = read_file_at(dir, TRAFFIC_FILE, FILE_MAX, &before, NULL);
	if (r >= 0)
		r = traffic_parse(before, &t);
	if (is_damage(r) && tells) {
		if (renameat(dir, TRAFFIC_FILE, dir, TRAFFIC_DAMAGED))
			return -errno;
		damaged = 1;
	} else if (r < 0 && r != -ENOENT) {
		return r;
	}
	if (!n)
		return damaged;
	if ((r = add_all(host, &t, i, n)) || (r = traffic_text(&t, &after)))
		return r;
	if (damaged || !before || strcmp(before, after))
		r = (wait ? write_file_atomic_at : write_file_soon_at)(dir, TRAFFIC_FILE, after, strlen(after), 0600);
	return r < 0 ? r : damaged;
}

int traffic_save(struct ve_host *host, const char *name, const struct net_interface *i, size_t n, int wait)
{
	return save(host, name, i, n, wait, 1);
}

/* The interfaces that the VE has now, or had when it was last seen. */
static int read_record(struct ve_host *host, const char *name, struct net_interface **ret)
{
	char path[PATH_MAX];
	cleanup_free char *text = NULL;
	if (FORMAT(path, "%s/%s/" FIREWALL_RECORD, host->run, name) < 0)
		return -ENAMETOOLONG;
	int r = read_file_at(AT_FDCWD, path, RECORD_MAX, &text, NULL);
	return r < 0 ? r : firewall_parse(text, ret);
}

static void save_one(struct ve_host *host, const char *name)
{
	cleanup_free struct net_interface *i = NULL;
	int n = read_record(host, name, &i), any = 0;
	cleanup_free struct firewall_counters *now = n > 0 ? calloc((size_t)n, sizeof *now) : NULL;
	if (!now || firewall_traffic(host, i, (size_t)n, now))
		return;
	for (int k = 0; k < n; k++)
		any |= now[k].table != 0;
	if (any)
		(void)save(host, name, i, (size_t)n, 0, 0);
}

void traffic_save_all(struct ve_host *host)
{
	DIR *d = opendir(host->run);
	for (const struct dirent *entry; d && (entry = readdir(d));)
		if (entry->d_name[0] != '.')
			save_one(host, entry->d_name);
	if (d)
		closedir(d);
}

/* ---- showing */

/* The interfaces first, then the file, then the counters: what ends in between has been saved by then, and is seen to.
 */
static int look(struct ve_host *host, const char *name, struct traffic *ret)
{
	cleanup_fd int dir = open_folder(host, name);
	if (dir < 0)
		return dir;
	for (int turn = 0; turn < LOOKS; turn++) {
		cleanup_traffic struct traffic t = {0};
		cleanup_free struct net_interface *i = NULL;
		cleanup_free char *before = NULL, *after = NULL;
		int n = read_record(host, name, &i);
		int r = read_file_at(dir, TRAFFIC_FILE, FILE_MAX, &before, NULL);
		if (r >= 0)
			r = traffic_parse(before, &t);
		if (r < 0 && r != -ENOENT && !is_damage(r))
			return r;
		if (n > 0) {
			if ((r = add_all(host, &t, i, (size_t)n)))
				return r;
			(void)read_file_at(dir, TRAFFIC_FILE, FILE_MAX, &after, NULL);
			if (!before != !after || (before && strcmp(before, after)))
				continue;
		}
		*ret = t;
		t.of = NULL;
		return 0;
	}
	return -EAGAIN;
}

static void write_class(struct json_writer *w, const char *key, const struct firewall_traffic *t, int class)
{
	jw_object(w, key);
	jw_integer(w, "in_bytes", (int64_t)t->received[class].bytes);
	jw_integer(w, "in_packets", (int64_t)t->received[class].packets);
	jw_integer(w, "out_bytes", (int64_t)t->sent[class].bytes);
	jw_integer(w, "out_packets", (int64_t)t->sent[class].packets);
	jw_end(w);
}

void traffic_json(struct ve_host *host, const char *name, struct json_writer *w, const char *key)
{
	cleanup_traffic struct traffic t = {0};
	if (look(host, name, &t)) {
		jw_null(w, key);
		return;
	}
	jw_array(w, key);
	for (size_t k = 0; k < t.n; k++) {
		jw_object(w, NULL);
		jw_string(w, "interface", t.of[k].name);
		write_class(w, "near", &t.of[k].total, FIREWALL_NEAR);
		write_class(w, "far", &t.of[k].total, FIREWALL_FAR);
		jw_end(w);
	}
	jw_end(w);
}
