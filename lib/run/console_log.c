/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/plan/console_log.h"

#include <fcntl.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/run/run.h"

struct part {
	char *text;
	size_t size;
	unsigned long long sequence; /* 0: nothing */
};

static int read_part(struct ve *ve, int i, struct part *p)
{
	char path[PATH_MAX];
	FORMAT(path, "%s/ve/%s/console.%d", ve->host->data, ve->name, i);
	int r = read_file_at(AT_FDCWD, path, 4 << 20, &p->text, &p->size);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (p->size >= LOG_HEADER && !strncmp(p->text, LOG_MAGIC, strlen(LOG_MAGIC)))
		p->sequence = strtoull(p->text + strlen(LOG_MAGIC), NULL, 10);
	return 0;
}

int ve_console_log(struct ve *ve, char **ret_text, size_t *ret_size)
{
	struct error *e = host_begin(ve->host);
	struct part p[2] = {0};
	int r = read_part(ve, 0, &p[0]);
	if (!r)
		r = read_part(ve, 1, &p[1]);
	char *all = r ? NULL : malloc(p[0].size + p[1].size + 1);
	size_t n = 0;
	for (int i = 0; all && i < 2; i++) {
		const struct part *q = &p[i ^ (p[0].sequence > p[1].sequence)]; /* the older first */
		if (q->sequence) {
			memcpy(all + n, q->text + LOG_HEADER, q->size - LOG_HEADER);
			n += q->size - LOG_HEADER;
		}
	}
	free(p[0].text);
	free(p[1].text);
	if (!all)
		return error_of(ve, e, error_sys(e, r ? -r : ENOMEM, "read the console's log", "console"));
	all[n] = 0;
	*ret_text = all;
	*ret_size = n;
	return 0;
}
