/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What create gives a VE for its first boot: the files and the terminal that it is read from. */
#ifndef VECTL_FIRST_BOOT_H
#define VECTL_FIRST_BOOT_H

#include "vectl.h"

struct first_boot {
	int ask;                   /* --password */
	const char *password_file; /* --password-file, or NULL */
	const char *hash;          /* --root-password-hash, or NULL */
	const char **key_files;    /* --ssh-key; room for all arguments */
	size_t n_key_files;
	const char **credentials; /* --credential NAME=FILE; room for all arguments */
	size_t n_credentials;
	/* what first_boot_read made of them */
	char *password, *keys;
	char **names;
	struct ve_credential *read;
};

/* 0 with the members of `o` set, which then refer to `f`; or the exit status with the error said already. */
int first_boot_read(struct cli *cli, const char *ve, struct first_boot *f, struct ve_create_options *o);
void first_boot_free(struct first_boot *f); /* wipes what is secret */

#endif
