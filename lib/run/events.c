/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading event logs: of some VEs or of all, in the order of time, and on. Each log is read from where it was read
 * last, woken by inotify. A keeper, which is not root, writes there too: each line is parsed, and what is handed out is
 * written anew.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>

#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/plan/event_log.h"
#include "lib/run/run.h"

static const char tried[] = "read the events";
enum { READ_MAX = 4 * EVENT_LOG_LIMIT, NAME_MAX_LENGTH = 64 };

struct source { /* one VE's log */
	char name[NAME_MAX_LENGTH];
	struct {
		uint64_t number; /* of the file as it was read last */
		size_t offset;
	} file[2];
	int64_t last_ns; /* of what was read last */
	int gone;        /* its VE is: "destroyed" was read, or said in its place */
	int used;
};

struct record {
	int64_t time_ns;
	uint64_t seq;
	char *text;
};

struct watched {
	int source, file; /* file -1: the folder */
};

struct ve_events {
	struct ve_host *host;
	int inotify, all_wd; /* -1: not followed */
	int all;             /* those to come as well */
	char **names;        /* else these */
	int64_t since_ns;
	struct source *source;
	size_t n_sources;
	struct watched *wd; /* by watch descriptor */
	size_t n_wd;
	struct record *record;
	size_t n_records, next;
	int failed;       /* memory is out */
	uint32_t cookie;  /* of a rename that is half seen */
	int moved_source; /* whose */
};

/* ---- lines */

static int by_time(const void *a, const void *b)
{
	const struct record *x = a, *y = b;
	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int is_word(const char *s)
{
	size_t n = s ? strspn(s, "abcdefghijklmnopqrstuvwxyz-") : 0;
	return n > 0 && n <= 32 && !s[n];
}

/* The one form that events have outside. */
static int render(const char *name, uint64_t seq, const struct json *j, char **ret)
{
	struct json_writer *w = jw_new(0);
	jw_object(w, NULL);
	jw_string(w, "ve", name);
	jw_integer(w, "seq", (int64_t)seq);
	for (const struct json *c = j->child; c; c = c->next)
		if (strcmp(c->key, "ve") && strcmp(c->key, "seq"))
			jw_copy(w, c->key, c);
	jw_end(w);
	return jw_finish(w, ret);
}

static void add_record(struct ve_events *ev, int64_t time_ns, uint64_t seq, char *text)
{
	struct record *more = reallocarray(ev->record, ev->n_records + 1, sizeof *more);
	if (!more) {
		ev->failed = 1;
		free(text);
		return;
	}
	ev->record = more;
	more[ev->n_records++] = (struct record){time_ns, seq, text};
}

static void take_line(struct ve_events *ev, struct source *s, uint64_t seq, const char *line, size_t size)
{
	cleanup_json struct json *j = NULL;
	struct error ignored = {0};
	char *text = NULL;
	/* One that is torn, by a full disk or a kill, is none. */
	if (size >= EVENT_LINE_MAX || json_parse(line, size, "events", tried, &j, &ignored))
		return;
	int64_t time_ns = json_integer(j, "time_ns", 0);
	const char *event = json_string(j, "event");
	if (time_ns <= 0 || !is_word(event))
		return;
	if (!strcmp(event, "destroyed"))
		s->gone = 1;
	s->last_ns = time_ns;
	if (time_ns < ev->since_ns)
		return;
	if (render(s->name, seq, j, &text))
		ev->failed = 1;
	else
		add_record(ev, time_ns, seq, text);
}

/* What is new in one of a VE's two files. */
static void read_part(struct ve_events *ev, struct source *s, const char *folder, int i)
{
	char path[PATH_MAX];
	cleanup_free char *text = NULL;
	size_t size;
	FORMAT(path, "%s/events.%d", folder, i);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	uint64_t number = fd < 0 ? 0 : event_log_file_number(fd);
	if (!number || read_file_at(AT_FDCWD, path, READ_MAX, &text, &size) < 0)
		return;
	char *end = memchr(text, '\n', size);
	size_t at = end ? (size_t)(end + 1 - text) : size;
	if (s->file[i].number == number && s->file[i].offset > at)
		at = s->file[i].offset < size ? s->file[i].offset : size;
	while ((end = memchr(text + at, '\n', size - at))) {
		take_line(ev, s, number * EVENT_SPAN + at, text + at, (size_t)(end - text) - at);
		at = (size_t)(end + 1 - text);
	}
	s->file[i].number = number;
	s->file[i].offset = at;
}

static void read_source(struct ve_events *ev, struct source *s, const char *folder_name)
{
	char folder[PATH_MAX];
	FORMAT(folder, "%s/ve/%s", ev->host->data, folder_name);
	for (int i = 0; i < 2; i++)
		read_part(ev, s, folder, i);
}

/* ---- which VEs */

static int is_wanted(const struct ve_events *ev, const char *name)
{
	struct error ignored = {0};
	if (ev->all)
		return !spec_valid_name(name, &ignored);
	for (char *const *n = ev->names; *n; n++)
		if (!strcmp(*n, name))
			return 1;
	return 0;
}

static int find_source(const struct ve_events *ev, const char *name)
{
	for (size_t i = 0; i < ev->n_sources; i++)
		if (ev->source[i].used && !strcmp(ev->source[i].name, name))
			return (int)i;
	return -1;
}

static void watch(struct ve_events *ev, int source, int file, const char *path, uint32_t mask)
{
	int wd = inotify_add_watch(ev->inotify, path, mask);
	if (wd < 0)
		return;
	if ((size_t)wd >= ev->n_wd) {
		size_t n = 2 * (size_t)wd + 16;
		struct watched *more = reallocarray(ev->wd, n, sizeof *more);
		if (!more) {
			ev->failed = 1;
			return;
		}
		for (size_t i = ev->n_wd; i < n; i++)
			more[i] = (struct watched){-1, -1};
		ev->wd = more;
		ev->n_wd = n;
	}
	ev->wd[wd] = (struct watched){source, file};
}

static void watch_source(struct ve_events *ev, int i)
{
	char path[PATH_MAX];
	if (ev->inotify < 0)
		return;
	/* The folder, for a log that is not there yet: that of a VE made by a version without. */
	FORMAT(path, "%s/ve/%s", ev->host->data, ev->source[i].name);
	watch(ev, i, -1, path, IN_CREATE | IN_ONLYDIR);
	for (int f = 0; f < 2; f++) {
		FORMAT(path, "%s/ve/%s/events.%d", ev->host->data, ev->source[i].name, f);
		watch(ev, i, f, path, IN_MODIFY);
	}
}

static void add_source(struct ve_events *ev, const char *name)
{
	size_t i = 0;
	while (i < ev->n_sources && ev->source[i].used)
		i++;
	if (i == ev->n_sources) {
		struct source *more = reallocarray(ev->source, i + 1, sizeof *more);
		if (!more) {
			ev->failed = 1;
			return;
		}
		ev->source = more;
		ev->n_sources++;
	}
	ev->source[i] = (struct source){.used = 1};
	snprintf(ev->source[i].name, sizeof ev->source[i].name, "%s", name);
	watch_source(ev, (int)i); /* first, so that nothing is missed in between */
	read_source(ev, &ev->source[i], name);
}

static void drop_source(struct ve_events *ev, int i)
{
	for (size_t wd = 0; wd < ev->n_wd; wd++)
		if (ev->wd[wd].source == i) {
			inotify_rm_watch(ev->inotify, (int)wd);
			ev->wd[wd] = (struct watched){-1, -1};
		}
	ev->source[i].used = 0;
}

/* The log went with the VE, perhaps before its last line was read. */
static void say_destroyed(struct ve_events *ev, struct source *s)
{
	struct timespec t;
	char line[128];
	if (s->gone)
		return;
	clock_gettime(CLOCK_REALTIME, &t);
	int64_t now = t.tv_sec * 1000000000ll + t.tv_nsec;
	int n = FORMAT(
		line, "{\"time_ns\":%lld,\"event\":\"destroyed\"}", (long long)(now > s->last_ns ? now : s->last_ns));
	int which = s->file[1].number > s->file[0].number;
	take_line(ev, s, s->file[which].number * EVENT_SPAN + s->file[which].offset, line, (size_t)n);
}

/* ---- following */

static void moved_from(struct ve_events *ev, const struct inotify_event *in)
{
	ev->moved_source = find_source(ev, in->name);
	ev->cookie = in->cookie;
}

static void moved_to(struct ve_events *ev, const struct inotify_event *in)
{
	int i = in->cookie && in->cookie == ev->cookie ? ev->moved_source : -1;
	ev->cookie = 0;
	if (i >= 0 && in->name[0] == '.') { /* as destroy begins */
		read_source(ev, &ev->source[i], in->name);
		say_destroyed(ev, &ev->source[i]);
		drop_source(ev, i);
	} else if (i >= 0) {
		snprintf(ev->source[i].name, sizeof ev->source[i].name, "%.63s", in->name);
		read_source(ev, &ev->source[i], in->name);
	} else if (is_wanted(ev, in->name) && find_source(ev, in->name) < 0)
		add_source(ev, in->name);
}

static void top_event(struct ve_events *ev, const struct inotify_event *in)
{
	if (!in->len)
		return;
	if (in->mask & IN_MOVED_FROM)
		moved_from(ev, in);
	if (in->mask & IN_MOVED_TO)
		moved_to(ev, in);
	if (in->mask & IN_CREATE && in->name[0] != '.' && is_wanted(ev, in->name) && find_source(ev, in->name) < 0)
		add_source(ev, in->name);
	int i = in->mask & IN_DELETE ? find_source(ev, in->name) : -1;
	if (i >= 0) {
		say_destroyed(ev, &ev->source[i]);
		drop_source(ev, i);
	}
}

static void look_at_all(struct ve_events *ev)
{
	char **names = NULL;
	if (ve_list_names(ev->host, &names))
		return;
	for (char **n = names; *n; n++) {
		int i = find_source(ev, *n);
		if (i >= 0)
			read_source(ev, &ev->source[i], *n);
		else if (is_wanted(ev, *n))
			add_source(ev, *n);
	}
	ve_free_names(names);
}

static void one_event(struct ve_events *ev, const struct inotify_event *in)
{
	if (in->mask & IN_Q_OVERFLOW) {
		look_at_all(ev);
		return;
	}
	if (in->wd == ev->all_wd) {
		top_event(ev, in);
		return;
	}
	if (in->wd < 0 || (size_t)in->wd >= ev->n_wd || ev->wd[in->wd].source < 0)
		return;
	int i = ev->wd[in->wd].source;
	if (in->mask & IN_IGNORED)
		ev->wd[in->wd].source = -1;
	else if (ev->wd[in->wd].file >= 0)
		read_source(ev, &ev->source[i], ev->source[i].name);
	else if (in->len && !strncmp(in->name, "events.", 7)) {
		watch_source(ev, i);
		read_source(ev, &ev->source[i], ev->source[i].name);
	}
}

/* Bounded: a guest that makes events without end does not keep the caller from what is there. */
static void take_changes(struct ve_events *ev)
{
	union {
		struct inotify_event align;
		char b[16384];
	} buf;
	ssize_t n = ev->inotify < 0 ? 0 : read(ev->inotify, buf.b, sizeof buf.b);
	for (ssize_t at = 0; at < n;) {
		struct inotify_event in;
		memcpy(&in, buf.b + at, sizeof in);
		one_event(ev, (const struct inotify_event *)(buf.b + at));
		at += (ssize_t)(sizeof in + in.len);
	}
}

/* ---- public */

static void forget_records(struct ve_events *ev, size_t upto)
{
	while (ev->next < upto)
		free(ev->record[ev->next++].text);
	if (ev->next == ev->n_records)
		ev->next = ev->n_records = 0;
}

static int follow(struct ve_events *ev, struct error *e)
{
	char path[PATH_MAX];
	int r = host_make_folders(ev->host, e);
	if (r)
		return r;
	FORMAT(path, "%s/ve", ev->host->data);
	ev->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (ev->inotify >= 0)
		ev->all_wd = inotify_add_watch(
			ev->inotify, path, IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR);
	if (ev->inotify >= 0 && ev->all_wd >= 0)
		return 0;
	return error_set(e, VE_E_FAILED, errno, tried, "raise fs.inotify.max_user_instances and max_user_watches",
		"inotify: %s", strerror(errno));
}

static int copy_names(struct ve_events *ev, const char *const *names, struct error *e)
{
	size_t n = 0;
	while (names[n])
		n++;
	ev->names = calloc(n + 1, sizeof *ev->names);
	for (size_t i = 0; ev->names && i < n; i++)
		if (!(ev->names[i] = strdup(names[i])))
			return error_sys(e, ENOMEM, tried, "memory");
	return ev->names ? 0 : error_sys(e, ENOMEM, tried, "memory");
}

/* A name that nothing has is a mistake, and not waited for. */
static int add_names(struct ve_events *ev)
{
	for (char **n = ev->names; *n; n++) {
		struct ve *ve;
		int r = ve_open(ev->host, *n, &ve);
		if (r)
			return r;
		ve_close(ve);
		if (find_source(ev, *n) < 0)
			add_source(ev, *n);
	}
	return 0;
}

int ve_events_open(struct ve_host *host, const struct ve_events_options *options, struct ve_events **ret)
{
	struct error *e = host_begin(host);
	struct ve_events_options o = {0};
	if (options)
		memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
	struct ve_events *ev = calloc(1, sizeof *ev);
	if (!ev)
		return error_sys(e, ENOMEM, tried, "memory");
	ev->host = host;
	ev->inotify = ev->all_wd = -1;
	ev->all = !o.names;
	ev->since_ns = o.since_ns;
	int r = o.names ? copy_names(ev, o.names, e) : 0;
	if (!r && o.flags & VE_EVENTS_FOLLOW)
		r = follow(ev, e);
	if (!r && ev->all)
		look_at_all(ev);
	else if (!r)
		r = add_names(ev);
	if (!r && ev->failed)
		r = error_sys(e, ENOMEM, tried, "memory");
	if (r) {
		ve_events_close(ev);
		return r;
	}
	if (ev->n_records)
		qsort(ev->record, ev->n_records, sizeof *ev->record, by_time);
	if (o.flags & VE_EVENTS_NEW)
		forget_records(ev, ev->n_records);
	else if (o.last > 0 && ev->n_records > (size_t)o.last)
		forget_records(ev, ev->n_records - (size_t)o.last);
	*ret = ev;
	return 0;
}

int ve_events_fd(const struct ve_events *ev)
{
	return ev->inotify;
}

int ve_events_next(struct ve_events *ev, char **ret_json)
{
	struct error *e = host_begin(ev->host);
	if (ev->next == ev->n_records) {
		take_changes(ev);
		if (ev->n_records)
			qsort(ev->record, ev->n_records, sizeof *ev->record, by_time);
	}
	if (ev->failed)
		return error_sys(e, ENOMEM, tried, "memory");
	if (ev->next == ev->n_records)
		return 0;
	*ret_json = TAKE_PTR(ev->record[ev->next].text);
	forget_records(ev, ev->next + 1);
	return 1;
}

void ve_events_close(struct ve_events *ev)
{
	if (!ev)
		return;
	forget_records(ev, ev->n_records);
	free(ev->record);
	free(ev->source);
	free(ev->wd);
	for (char **n = ev->names; n && *n; n++)
		free(*n);
	free(ev->names);
	close_fd_p(&ev->inotify);
	free(ev);
}

int ve_events_json(struct ve *ve, char **ret_json)
{
	const char *const names[] = {ve->name, NULL};
	const struct ve_events_options o = {.size = sizeof o, .names = names};
	struct ve_events *ev;
	struct error *e = &ve->host->error;
	int r = ve_events_open(ve->host, &o, &ev);
	if (r)
		return r;
	struct json_writer *w = jw_new(1);
	jw_object(w, NULL);
	jw_integer(w, "format", 1);
	jw_string(w, "ve", ve->name);
	jw_array(w, "events");
	for (size_t i = 0; i < ev->n_records; i++) {
		cleanup_json struct json *j = NULL;
		if (!json_parse(ev->record[i].text, strlen(ev->record[i].text), "event", tried, &j, e))
			jw_copy(w, NULL, j);
	}
	jw_end(w);
	jw_end(w);
	ve_events_close(ev);
	r = jw_finish(w, ret_json);
	return r ? error_of(ve, e, error_sys(e, -r, tried, "memory")) : 0;
}
