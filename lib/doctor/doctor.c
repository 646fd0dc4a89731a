/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/doctor/doctor.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/util.h"

static const char *const status_name[] = {"ok", "warn", "fail"};

void doctor_say(struct doctor *d, int status, const char *name, const char *remedy, const char *what, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, what);
	vsnprintf(text, sizeof text, what, ap);
	va_end(ap);
	if (status > d->worst)
		d->worst = status;
	jw_object(d->checks, NULL);
	jw_string(d->checks, "group", d->group);
	jw_string(d->checks, "name", name);
	jw_string(d->checks, "status", status_name[status]);
	jw_string(d->checks, "what", text);
	if (status != DOCTOR_OK && remedy)
		jw_string(d->checks, "remedy", remedy);
	else
		jw_null(d->checks, "remedy");
	jw_end(d->checks);
}

void doctor_nearest(const char *path, char *buf, size_t size)
{
	struct stat st;
	snprintf(buf, size, "%s", path);
	while (lstat(buf, &st) || !S_ISDIR(st.st_mode)) {
		char *slash = strrchr(buf, '/');
		if (!slash)
			break;
		*(slash == buf ? slash + 1 : slash) = 0;
		if (slash == buf)
			break;
	}
}

static int64_t count(char **names)
{
	int64_t n = 0;
	while (names && names[n])
		n++;
	return n;
}

static int examine(struct doctor *d, struct error *e)
{
	char **names = NULL;
	int r = ve_list_names(d->host, &names);
	d->ves = r ? 0 : count(names);
	ve_free_names(names);
	if (r || (r = facts_probe(&d->facts, e)))
		return r;
	jw_array(d->checks, "checks");
	d->group = "kernel";
	if ((r = doctor_kernel(d, e)))
		return r;
	const struct {
		const char *group;
		void (*fn)(struct doctor *d);
	} parts[] = {{"cgroups", doctor_cgroups}, {"ids", doctor_ids}, {"limits", doctor_limits},
		{"storage", doctor_storage}, {"installation", doctor_installation}, {"programs", doctor_programs},
		{"ves", doctor_ves}};
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		d->group = parts[i].group;
		parts[i].fn(d);
	}
	jw_end(d->checks);
	jw_array(d->checks, "leftovers");
	doctor_leftovers(d);
	doctor_image_leftovers(d);
	jw_end(d->checks);
	return 0;
}

int ve_doctor_json(struct ve_host *host, int flags, char **ret_json)
{
	static const char tried[] = "examine the host";
	struct error *e = host_begin(host);
	if (flags & ~(VE_DOCTOR_REPAIR | VE_DOCTOR_DRY_RUN))
		return error_set(e, VE_E_USAGE, EINVAL, tried, NULL, "flags 0x%x", (unsigned)flags);
	struct doctor d = {.host = host, .flags = flags, .checks = jw_new(0)};
	if (!d.checks)
		return error_sys(e, ENOMEM, tried, "memory");
	jw_object(d.checks, NULL);
	jw_integer(d.checks, "format", 1);
	int r = examine(&d, e);
	int bad = d.worst == DOCTOR_FAIL || d.unrepaired;
	jw_string(d.checks, "status", status_name[bad ? DOCTOR_FAIL : d.worst]);
	jw_integer(d.checks, "ves", d.ves);
	jw_end(d.checks);
	char *text = NULL;
	int w = jw_finish(d.checks, &text);
	if (!r && w)
		r = error_sys(e, -w, tried, "memory");
	if (r) {
		free(text);
		return r;
	}
	error_clear(e); /* what was looked at and found wanting is in the document */
	*ret_json = text;
	return bad;
}
