/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <termios.h>

#include "first_boot.h"

enum { PASSWORD_MAX = 4096, KEYS_MAX = 1 << 20, CREDENTIAL_MAX = (1 << 20) + 1 };

/* ---- asking */

static int ask_line(struct cli *cli, int tty, const char *prompt, char *buf, size_t room)
{
	struct pollfd p[] = {{tty, POLLIN, 0}, {cli->cancel_fd, POLLIN, 0}};
	ssize_t n = 0;

	dprintf(tty, "%s", prompt);
	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return -errno;
	if (!p[1].revents)
		n = read(tty, buf, room - 1);
	dprintf(tty, "\n");
	if (p[1].revents)
		return -EINTR;
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

/* Twice, unseen. -EILSEQ: they differ. */
static int ask_twice(struct cli *cli, int tty, const char *ve, char *first, size_t room)
{
	struct termios before, silent;
	char again[PASSWORD_MAX], prompt[128];

	if (tcgetattr(tty, &before))
		return -errno;
	silent = before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	silent.c_lflag |= ICANON;
	if (tcsetattr(tty, TCSAFLUSH, &silent))
		return -errno;
	snprintf(prompt, sizeof(prompt), "Password for root of %s: ", ve);
	int r = ask_line(cli, tty, prompt, first, room);
	if (!r)
		r = ask_line(cli, tty, "The same again: ", again, sizeof(again));
	tcsetattr(tty, TCSAFLUSH, &before);
	if (!r && strcmp(first, again))
		r = -EILSEQ;
	explicit_bzero(again, sizeof(again));
	return r;
}

static int ask_password(struct cli *cli, const char *ve, char **ret)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	char *password = calloc(1, PASSWORD_MAX);

	if (tty < 0) {
		free(password);
		return cli_usage(cli, "create", "--password asks on a terminal, and here is none: use --password-file");
	}
	int r = password ? ask_twice(cli, tty, ve, password, PASSWORD_MAX) : -ENOMEM;
	close(tty);
	if (!r) {
		*ret = password;
		return 0;
	}
	if (password)
		explicit_bzero(password, PASSWORD_MAX);
	free(password);
	if (r == -EILSEQ)
		return cli_error(cli, ve, "create", EINVAL, "the two passwords differ", "try again");
	cli_error(cli, ve, "create", -r, r == -EINTR ? "interrupted; nothing was made" : strerror(-r), NULL);
	return r == -EINTR ? EXIT_INTERRUPTED : EXIT_FAILED;
}

/* ---- reading */

/* At most `max` bytes, with a NUL after them that *ret_size leaves out. */
static int read_file(struct cli *cli, const char *ve, const char *path, size_t max, char **ret, size_t *ret_size)
{
	char wrong[512];
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO, e = fd < 0 ? errno : 0;
	char *text = e ? NULL : malloc(max + 2);
	size_t used = 0;

	if (!e && !text)
		e = ENOMEM;
	while (!e && used <= max) {
		ssize_t n = read(fd, text + used, max + 1 - used);
		if (n < 0 && errno != EINTR)
			e = errno;
		if (n == 0)
			break;
		used += n > 0 ? (size_t)n : 0;
	}
	if (!e && used > max)
		e = EFBIG;
	if (fd > STDIN_FILENO)
		close(fd);
	if (e) {
		if (text)
			explicit_bzero(text, used);
		free(text);
		snprintf(wrong, sizeof(wrong), "%s: %s", path, strerror(e));
		return cli_error(cli, ve, "create", e, wrong, "give a readable file");
	}
	text[used] = '\0';
	*ret = text;
	*ret_size = used;
	return 0;
}

static int not_text(struct cli *cli, const char *ve, const char *path)
{
	char wrong[512];

	snprintf(wrong, sizeof(wrong), "%s: that is no text", path);
	return cli_error(cli, ve, "create", EILSEQ, wrong, "give a text file");
}

static int read_password(struct cli *cli, const char *ve, struct first_boot *f)
{
	size_t n;
	int r;

	if (f->ask)
		return ask_password(cli, ve, &f->password);
	r = read_file(cli, ve, f->password_file, PASSWORD_MAX, &f->password, &n);
	if (r)
		return r;
	if (memchr(f->password, '\0', n))
		return not_text(cli, ve, f->password_file);
	if (n && f->password[n - 1] == '\n')
		f->password[--n] = '\0'; /* the editor's, not the password's */
	return 0;
}

static int read_keys(struct cli *cli, const char *ve, struct first_boot *f)
{
	size_t used = 0;

	for (size_t i = 0; i < f->n_key_files; i++) {
		char *text = NULL;
		size_t n;
		int r = read_file(cli, ve, f->key_files[i], KEYS_MAX, &text, &n);
		if (r)
			return r;
		char *all = memchr(text, '\0', n) ? NULL : realloc(f->keys, used + n + 2);
		if (!all) {
			r = strlen(text) < n
				    ? not_text(cli, ve, f->key_files[i])
				    : cli_error(cli, ve, "create", ENOMEM, "memory is out", "free some memory");
			free(text);
			return r;
		}
		memcpy(all + used, text, n);
		free(text);
		used += n;
		all[used++] = '\n';
		all[used] = '\0';
		f->keys = all;
	}
	return 0;
}

static int read_credentials(struct cli *cli, const char *ve, struct first_boot *f)
{
	f->names = calloc(f->n_credentials + 1, sizeof(*f->names));
	f->read = calloc(f->n_credentials + 1, sizeof(*f->read));
	if (!f->names || !f->read)
		return cli_error(cli, ve, "create", ENOMEM, "memory is out", "free some memory");
	for (size_t i = 0; i < f->n_credentials; i++) {
		const char *file = strchr(f->credentials[i], '=');
		char *data = NULL;
		if (!file || file == f->credentials[i] || !file[1])
			return cli_usage(cli, "create", "--credential=%s: it is NAME=FILE", f->credentials[i]);
		f->names[i] = strndup(f->credentials[i], (size_t)(file - f->credentials[i]));
		if (!f->names[i])
			return cli_error(cli, ve, "create", ENOMEM, "memory is out", "free some memory");
		int r = read_file(cli, ve, file + 1, CREDENTIAL_MAX, &data, &f->read[i].size);
		if (r)
			return r;
		f->read[i].name = f->names[i];
		f->read[i].data = data;
	}
	return 0;
}

int first_boot_read(struct cli *cli, const char *ve, struct first_boot *f, struct ve_create_options *o)
{
	int r = 0;

	if (f->ask + !!f->password_file + !!f->hash > 1)
		return cli_usage(
			cli, "create", "--password, --password-file and --root-password-hash: give one of them");
	if (f->ask || f->password_file)
		r = read_password(cli, ve, f);
	if (!r && f->n_key_files)
		r = read_keys(cli, ve, f);
	if (!r && f->n_credentials)
		r = read_credentials(cli, ve, f);
	o->root_password = f->password;
	o->root_password_hash = f->hash;
	o->authorized_keys = f->keys;
	o->credentials = f->read;
	o->n_credentials = f->n_credentials;
	return r;
}

void first_boot_free(struct first_boot *f)
{
	if (f->password)
		explicit_bzero(f->password, strlen(f->password));
	free(f->password);
	free(f->keys);
	for (size_t i = 0; i < f->n_credentials; i++) {
		if (f->names)
			free(f->names[i]);
		if (f->read && f->read[i].data) {
			explicit_bzero((void *)f->read[i].data, f->read[i].size);
			free((void *)f->read[i].data);
		}
	}
	free(f->names);
	free(f->read);
	free(f->key_files);
	free(f->credentials);
}
