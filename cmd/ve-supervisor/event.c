/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <time.h>

#include "cmd/ve-supervisor/event.h"
#include "cmd/ve-supervisor/supervisor.h"
#include "lib/plan/event_log.h"

struct line {
	char b[EVENT_LINE_MAX];
	struct text t;
};

static void number(struct line *l, const char *key, uint64_t n)
{
	text_add(&l->t, ",\"");
	text_add(&l->t, key);
	text_add(&l->t, "\":");
	text_number(&l->t, n);
}

/* Of at most `size` bytes; what JSON would have to escape is no part of a step's subject. */
static void word(struct line *l, const char *key, const char *value, size_t size)
{
	char one[2] = "";
	text_add(&l->t, ",\"");
	text_add(&l->t, key);
	text_add(&l->t, "\":\"");
	for (size_t i = 0; i < size && value[i]; i++) {
		one[0] = value[i] < ' ' || value[i] > 126 || value[i] == '"' || value[i] == '\\' ? '?' : value[i];
		text_add(&l->t, one);
	}
	text_add(&l->t, "\"");
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void begin(struct line *l, const char *event)
{
	l->t = (struct text){l->b, l->b + sizeof l->b};
	text_add(&l->t, "{\"time_ns\":");
	text_number(&l->t, clock_ns(CLOCK_REALTIME));
	number(l, "boottime_ns", clock_ns(CLOCK_BOOTTIME));
	word(l, "event", event, 32);
}

static void end(struct line *l)
{
	static const int fd[2] = {SFD_EVENTS0, SFD_EVENTS1};
	text_add(&l->t, "}\n");
	event_log_append(fd, l->b, l->t.at - l->b);
}

void event_boot(const char *event, unsigned boot)
{
	struct line l;
	begin(&l, event);
	number(&l, "boot", boot);
	end(&l);
}

void event_stopping(void)
{
	struct line l;
	begin(&l, "stopping");
	word(&l, "by", "guest", 8);
	end(&l);
}

void event_stopped(const char *how, int n, int by_host)
{
	struct line l;
	begin(&l, "stopped");
	word(&l, "how", how, 16);
	word(&l, "by", by_host ? "host" : "guest", 8);
	if (!strcmp(how, "exited"))
		number(&l, "status", n);
	if (!strcmp(how, "killed"))
		number(&l, "signal", n);
	end(&l);
}

void event_reboot_failed(const struct wire_report *r)
{
	struct line l;
	begin(&l, "reboot-failed");
	if (r->step < plan->nsteps)
		number(&l, "step", r->step);
	number(&l, "errno", r->err > 0 ? r->err : 0);
	word(&l, "subject", r->subject, sizeof r->subject);
	end(&l);
}

void event_oom_kills(unsigned count)
{
	struct line l;
	begin(&l, "oom-kill");
	number(&l, "count", count);
	end(&l);
}
