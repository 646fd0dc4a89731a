/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "vectl.h"

enum { CONFIG_MAX = 4 << 20, OPT_IMAGE = 300, OPT_SET, OPT_CONFIG, OPT_HOSTNAME, OPT_START, OPT_PRIVILEGED, OPT_WAIT };

struct request {
	const char *name, *image, *config_file, *hostname;
	const char **assignments;
	size_t n;
	int start;
	struct start how;
};

static const struct option options[] = {
	{"image", required_argument, NULL, OPT_IMAGE},
	{"set", required_argument, NULL, OPT_SET},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"hostname", required_argument, NULL, OPT_HOSTNAME},
	{"start", no_argument, NULL, OPT_START},
	{"privileged", no_argument, NULL, OPT_PRIVILEGED},
	{"wait", required_argument, NULL, OPT_WAIT},
	CLI_OPTIONS,
	{0},
};

/* Up to CONFIG_MAX bytes as a string; the library has the last word on how large a ve.json may be. */
static int read_config(struct cli *cli, const char *ve, const char *path, char **ret)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	char *text = NULL, wrong[512];
	size_t used = 0, room = 0;
	ssize_t n = -1;

	while (fd >= 0) {
		if (used + 1 >= room) {
			room = room ? 2 * room : 8192;
			char *grown = realloc(text, room);
			if (!grown) {
				n = -1;
				break;
			}
			text = grown;
		}
		n = read(fd, text + used, room - used - 1);
		if (n <= 0 || (used += n) > CONFIG_MAX)
			break;
	}
	int e = n < 0 ? errno : used > CONFIG_MAX ? EFBIG : 0;
	if (fd > STDIN_FILENO)
		close(fd);
	if (!e && memchr(text, '\0', used))
		e = EILSEQ;
	if (e) {
		free(text);
		snprintf(wrong, sizeof(wrong), "%s: %s", path, strerror(e));
		return cli_error(cli, ve, "create", e, wrong, "give --config a readable ve.json");
	}
	text[used] = '\0';
	*ret = text;
	return 0;
}

static int parse(struct cli *cli, int argc, char **argv, struct request *q)
{
	for (int c; (c = cli_getopt(cli, argc, argv, "", options)) != -1;) {
		switch (c) {
		case OPT_IMAGE:
			q->image = optarg;
			break;
		case OPT_SET:
			q->assignments[q->n++] = optarg;
			break;
		case OPT_CONFIG:
			q->config_file = optarg;
			break;
		case OPT_HOSTNAME:
			q->hostname = optarg;
			break;
		case OPT_PRIVILEGED:
			q->assignments[q->n++] = "privileged=true";
			break;
		case OPT_WAIT:
			if (cli_parse_wait(cli, optarg, &q->how.options.wait))
				return EXIT_USAGE;
			__attribute__((fallthrough));
		case OPT_START:
			q->start = 1;
			break;
		default:
			return cli->status ? cli->status : -1; /* -1: help was wanted and given */
		}
	}
	return cli_one_name(cli, argc, argv, 0, 0, &q->name);
}

static int create(struct cli *cli, const struct request *q)
{
	struct ve *ve cleanup_ve = NULL;
	char *config = NULL;
	int r = cli_host(cli);

	if (!r && q->config_file)
		r = read_config(cli, q->name, q->config_file, &config);
	if (r)
		return r;
	struct ve_create_options o = {
		.size = sizeof(o),
		.image = q->image,
		.config = config,
		.config_name = q->config_file,
		.hostname = q->hostname,
		.assignments = q->n ? q->assignments : NULL,
	};
	r = ve_create(cli->host, q->name, &o, &ve);
	free(config);
	cli_progress_clear();
	if (r < 0)
		return cli_fail(cli);
	r = cli_done(cli, q->name, ve_state_name(VE_STOPPED));
	cli_say_lost(cli, ve);
	return q->start ? cli_start(cli, ve, &q->how) : r;
}

int verb_create(struct cli *cli, int argc, char **argv)
{
	struct request q = {.assignments = calloc(argc + 1, sizeof(char *))};

	q.how.options.size = sizeof(q.how.options);
	if (!q.assignments)
		return cli_error(cli, NULL, "create", ENOMEM, "memory is out", NULL);
	int r = parse(cli, argc, argv, &q);
	if (r == 0)
		r = create(cli, &q);
	free(q.assignments);
	return r < 0 ? EXIT_DONE : r;
}
