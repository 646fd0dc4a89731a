/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Folders of VEs that are damaged: what makes the next start fail, said before it does. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/util.h"
#include "lib/doctor/doctor.h"
#include "lib/host/ids.h"
#include "lib/run/run.h"

/* The first thing that is wrong with it, as a line of its own. 0: nothing is. */
static int say_damage(struct doctor *d, struct ve *ve)
{
	cleanup_spec struct spec *s = NULL;
	struct error e = {0};
	struct id_range ids;
	char path[PATH_MAX], target[PATH_MAX], remedy[3 * PATH_MAX];
	if (spec_load(ve, &s, &e)) {
		FORMAT(remedy, "editor %s/ve/%s/ve.json   # or, with its disk: vectl destroy %s", d->host->data,
			ve->name, ve->name);
		doctor_say(d, DOCTOR_FAIL, ve->name, remedy, "VE %s cannot start: %s", ve->name, e.wrong);
		return 1;
	}
	if (ids_of(ve, &ids, &e)) {
		FORMAT(remedy,
			"ln -sfn 'BASE OWNER' %s/ve/%s/ids   # its userns.base, and an owner uid that no other VE has",
			d->host->data, ve->name);
		doctor_say(d, DOCTOR_FAIL, ve->name, remedy, "VE %s cannot start: its host ids are not recorded: %s",
			ve->name, e.wrong);
		return 1;
	}
	FORMAT(path, "%s/ve/%s/image/rootfs", d->host->data, ve->name);
	if (!realpath(path, target)) {
		FORMAT(remedy,
			"ls %s/images/store   # where the image is, link it again: ln -sfn ../../images/store/ID "
			"%s/ve/%s/image",
			d->host->data, d->host->data, ve->name);
		doctor_say(d, DOCTOR_FAIL, ve->name, remedy, "VE %s cannot start: its image %s is not in the store",
			ve->name, spec_string(s, "image") ? spec_string(s, "image") : "");
		return 1;
	}
	return 0;
}

/* Two VEs with the same ids could read each other's files: a folder that was copied by hand. */
static int say_twins(struct doctor *d, char **names, size_t n)
{
	cleanup_free struct id_range *ids = calloc(n + 1, sizeof *ids);
	char remedy[160];
	int found = 0;
	for (size_t i = 0; ids && i < n; i++) {
		struct ve ve = {.host = d->host};
		struct error ignored = {0};
		FORMAT(ve.name, "%s", names[i]);
		if (ids_of(&ve, &ids[i], &ignored))
			continue;
		for (size_t k = 0; k < i; k++)
			if (ids[k].base == ids[i].base || ids[k].owner == ids[i].owner) {
				FORMAT(remedy, "vectl unset %s userns.base", names[i]);
				doctor_say(d, DOCTOR_FAIL, names[i], remedy,
					"VEs %s and %s have the same host ids: they are not kept apart", names[k],
					names[i]);
				found = 1;
				break;
			}
	}
	return found;
}

void doctor_ves(struct doctor *d)
{
	char **names = NULL;
	size_t n = 0;
	int damaged = 0;
	if (ve_list_names(d->host, &names)) {
		doctor_say(d, DOCTOR_FAIL, "list", "# look at the data folder", "%s", d->host->error.wrong);
		return;
	}
	for (; names[n]; n++) {
		struct ve ve = {.host = d->host};
		FORMAT(ve.name, "%s", names[n]);
		damaged |= say_damage(d, &ve);
	}
	damaged |= say_twins(d, names, n);
	if (!damaged)
		doctor_say(d, DOCTOR_OK, "ves", NULL, "%zu VEs, each with its spec, its image and ids of its own", n);
	ve_free_names(names);
}
