/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "first_boot.h"
#include "vectl.h"

enum {
	CONFIG_MAX = 4 << 20,
	OPT_IMAGE = 300,
	OPT_SET,
	OPT_CONFIG,
	OPT_HOSTNAME,
	OPT_START,
	OPT_PRIVILEGED,
	OPT_WAIT,
	OPT_PASSWORD,
	OPT_PASSWORD_FILE,
	OPT_ROOT_PASSWORD_HASH,
	OPT_SSH_KEY,
	OPT_CREDENTIAL
};

struct request {
	const char *name, *image, *config_file, *hostname;
	const char **assignments;
	size_t n;
	int start;
	struct start how;
	struct first_boot first;
};

static const struct option options[] = {
	{"image", required_argument, NULL, OPT_IMAGE},
	{"set", required_argument, NULL, OPT_SET},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"hostname", required_argument, NULL, OPT_HOSTNAME},
	{"start", no_argument, NULL, OPT_START},
	{"privileged", no_argument, NULL, OPT_PRIVILEGED},
	{"wait", required_argument, NULL, OPT_WAIT},
	{"password", no_argument, NULL, OPT_PASSWORD},
	{"password-file", required_argument, NULL, OPT_PASSWORD_FILE},
	{"root-password-hash", required_argument, NULL, OPT_ROOT_PASSWORD_HASH},
	{"ssh-key", required_argument, NULL, OPT_SSH_KEY},
	{"credential", required_argument, NULL, OPT_CREDENTIAL},
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
		case OPT_PASSWORD:
			q->first.ask = 1;
			break;
		case OPT_PASSWORD_FILE:
			q->first.password_file = optarg;
			break;
		case OPT_ROOT_PASSWORD_HASH:
			q->first.hash = optarg;
			break;
		case OPT_SSH_KEY:
			q->first.key_files[q->first.n_key_files++] = optarg;
			break;
		case OPT_CREDENTIAL:
			q->first.credentials[q->first.n_credentials++] = optarg;
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

static int create(struct cli *cli, struct request *q)
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
	r = first_boot_read(cli, q->name, &q->first, &o);
	if (r) {
		free(config);
		return r;
	}
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
	q.first.key_files = calloc(argc + 1, sizeof(char *));
	q.first.credentials = calloc(argc + 1, sizeof(char *));
	int r = q.assignments && q.first.key_files && q.first.credentials
			? parse(cli, argc, argv, &q)
			: cli_error(cli, NULL, "create", ENOMEM, "memory is out", "free some memory");
	if (r == 0)
		r = create(cli, &q);
	free(q.assignments);
	first_boot_free(&q.first);
	return r < 0 ? EXIT_DONE : r;
}
