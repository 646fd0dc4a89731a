/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the guest is shown of the host, and given at its first boot. */
#include "lib/plan/build.h"

/* Where the keeper and each boot's init find them: as cmd/ve-supervisor/supervisor.h has it. */
#define FIRST_BOOT  "/f"
#define CREDENTIALS "/host/credentials"

static void open_layer(struct builder *b, int layer, const char *folder)
{
	struct plan_step *s = plan_add(b, OP_OPEN_LAYER);
	plan_set_text(b, s, 0, "%s/%s", b->in->data_dir, folder);
	s->n[0] = layer;
}

static void attach_layer(struct builder *b, int layer, const char *at, int read_only)
{
	struct plan_step *s = plan_add(b, OP_ATTACH_LAYER);
	plan_set_text(b, s, 0, "%s", at);
	s->n[0] = layer;
	s->n[1] = read_only;
	s->n[2] = !spec_integer(b->in->spec, "privileged", 0);
}

void plan_guest_open(struct builder *b)
{
	if (b->in->first_boot)
		open_layer(b, LAYER_FIRST_BOOT, "first-boot");
	if (b->in->credentials)
		open_layer(b, LAYER_CREDENTIALS, "credentials");
	struct plan_step *s = plan_add(b, OP_HOST_RELEASE);
	plan_set_text(b, s, 0, "/etc/os-release");
	plan_set_text(b, s, 1, "/usr/lib/os-release");
}

void plan_guest_attach(struct builder *b)
{
	/* Writable, since what has been done is removed there, and out of sight before the guest's first instruction.
	 */
	if (b->in->first_boot)
		attach_layer(b, LAYER_FIRST_BOOT, FIRST_BOOT, 0);
	if (b->in->credentials)
		attach_layer(b, LAYER_CREDENTIALS, CREDENTIALS, 1);
}

void plan_first_boot_open(struct builder *b)
{
	if (!b->in->first_boot)
		return;
	struct plan_step *s = plan_add(b, OP_FIRST_BOOT_OPEN);
	plan_set_text(b, s, 0, FIRST_BOOT);
	s->optional = 1;
}

/* A guest without /etc/shadow starts all the same. */
void plan_first_boot(struct builder *b)
{
	if (b->in->first_boot)
		plan_add(b, OP_FIRST_BOOT)->optional = 1;
}
