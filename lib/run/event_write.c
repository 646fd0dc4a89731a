/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/plan/event_log.h"
#include "lib/run/event.h"

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* Who is logged in where this was typed; a service manager is nobody. */
static int64_t login_uid(void)
{
	cleanup_free char *text = NULL;
	if (read_file_at(AT_FDCWD, "/proc/self/loginuid", 32, &text, NULL) < 0)
		return -1;
	unsigned long uid = strtoul(text, NULL, 10);
	return uid == (uint32_t)-1 ? -1 : (int64_t)uid;
}

struct json_writer *event_begin(const char *event)
{
	struct json_writer *w = jw_new(0);
	int64_t uid = login_uid();
	if (!w)
		return NULL;
	jw_object(w, NULL);
	jw_integer(w, "time_ns", clock_ns(CLOCK_REALTIME));
	jw_integer(w, "boottime_ns", clock_ns(CLOCK_BOOTTIME));
	jw_string(w, "event", event);
	if (uid >= 0)
		jw_integer(w, "login_uid", uid);
	return w;
}

void event_open(const char *folder, int ret_fd[2])
{
	for (int i = 0; i < 2; i++) {
		char path[PATH_MAX];
		ret_fd[i] = FORMAT(path, "%s/events.%d", folder, i) < 0
				    ? -1
				    : open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	}
}

void event_end_in(const char *folder, struct json_writer *w)
{
	cleanup_free char *line = NULL;
	int fd[2];
	if (!w)
		return;
	jw_end(w);
	if (jw_finish(w, &line))
		return;
	event_open(folder, fd);
	if (fd[0] >= 0 && fd[1] >= 0)
		event_log_append(fd, line, strlen(line));
	close_fd_p(&fd[0]);
	close_fd_p(&fd[1]);
}

void event_end(struct ve *ve, struct json_writer *w)
{
	char folder[PATH_MAX];
	FORMAT(folder, "%s/ve/%s", ve->host->data, ve->name);
	event_end_in(folder, w);
}

void event_log(struct ve *ve, const char *event)
{
	event_end(ve, event_begin(event));
}
