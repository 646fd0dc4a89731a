/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_IMAGE_H
#define VE_IMAGE_H

#include "lib/host/host.h"

/*
 * The store: DATA/images/store/ID/{rootfs,image.json} (immutable, 0700 above, rootfs itself 0755), and
 * DATA/images/ref/NAME (a symbolic link ../store/ID or, for names with '/', ../../store/ID). A VE holds its image by
 * the link DATA/ve/NAME/image -> ../../images/store/ID, so that a rebuilt image changes no VE.
 */

/*
 * The id behind an image's name, and that name: builds it by its template, or imports it when it is a path (under a
 * name of its own, which is returned), if `make`. Both are the caller's to free. *ret_imported: whether a path was
 * imported just now, so that who gives up can take it away again.
 */
int image_resolve(struct ve_host *host, const char *image, int make, char **ret_id, char **ret_name, int *ret_imported,
	struct error *e);

/*
 * Makes the link `image` in the folder `ve`, which holds the image from then on. -ESTALE when the image has left the
 * store since image_resolve: to be resolved again. An image that is known to be damaged is refused.
 */
int image_hold(struct ve_host *host, const char *name, const char *id, int ve, struct error *e);

/* Absolute path of the rootfs of an id. */
int image_rootfs(struct ve_host *host, const char *id, char *buf, size_t size);

/* The first of the candidates that is an executable file in the image, links resolved inside it; else VE_E_NO_INIT. */
int image_find_init(struct ve_host *host, const char *id, const char *const *candidates, struct error *e);

#endif
