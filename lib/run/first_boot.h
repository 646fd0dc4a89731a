/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a VE is given at its first boot, and the credentials that it is shown at each: files in its folder on the host.
 * DATA/ve/NAME/first-boot/{password,authorized_keys} are carried out inside the VE and removed by that
 * (cmd/ve-supervisor/first_boot.c), and the folder goes when the VE has run; DATA/ve/NAME/credentials/ stays.
 */
#ifndef VE_RUN_FIRST_BOOT_H
#define VE_RUN_FIRST_BOOT_H

#include <ve/ve.h>

#include "lib/host/host.h"

/* Before anything is made: whether all of it can be taken. */
int first_boot_check(const struct ve_create_options *o, struct error *e);
/* Into the VE's folder `dir`. `image` is the image's id in the store. */
int first_boot_write(
	struct ve_host *host, int dir, const char *image, const struct ve_create_options *o, struct error *e);

/* Of the VE's folder `path`: 1 when there is something to do, or to show. */
int first_boot_pending(const char *path);
/* What is still to be done, with commas between ("" for nothing). */
void first_boot_left(const char *path, char *buf, size_t size);
/*
 * Once init was exec'd: what could not be done is dropped, since the guest may have done it in its own way since, and
 * the hash of a password is not kept.
 */
int first_boot_drop(const char *path);
int credentials_present(const char *path);

/* authorized_keys(5): *ret gets the lines that are keys, and nothing else. A private key is refused. */
int ssh_keys_check(const char *text, char **ret, struct error *e);

/* crypt(3): yescrypt, or SHA-512, which every guest knows. *ret is the caller's to free. */
int password_hash(const char *password, int yescrypt, char **ret, struct error *e);
int password_check(const char *password, struct error *e);
int password_hash_check(const char *hash, struct error *e);

#endif
