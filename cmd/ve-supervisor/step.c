/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cmd/ve-supervisor/step.h"

#include <string.h>

#include "cmd/ve-supervisor/sys.h"

const char *step_subject = "";

/* `options` is "key=value,flag", taken apart here: fsconfig gets one at a time. */
int configure_fs(int fs, const char *options)
{
	static char b[512]; /* what failed is told by it */
	while (*options) {
		size_t n = strcspn(options, ",");
		if (n >= sizeof b)
			return -E2BIG;
		memcpy(b, options, n);
		b[n] = 0;
		options += n + (options[n] == ',');
		char *value = strchr(b, '=');
		if (value)
			*value++ = 0;
		step_subject = b;
		if (sys_fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, b, value, 0))
			return -errno;
	}
	return 0;
}

void text_add(struct text *t, const char *s)
{
	while (*s && t->at < t->end - 1)
		*t->at++ = *s++;
	*t->at = 0;
}

void text_number(struct text *t, uint64_t n)
{
	char b[24], *p = b + sizeof b;
	*--p = 0;
	do
		*--p = '0' + n % 10;
	while (n /= 10);
	text_add(t, p);
}
