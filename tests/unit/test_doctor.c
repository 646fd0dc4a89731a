/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>

#include "lib/doctor/doctor.h"

static const struct sysctl_rule each_user = {"fs.inotify.max_user_instances", 128, 0, "systemd"},
				shared = {"kernel.pid_max", 8192, 512, "fork"},
				namespaces = {"user.max_user_namespaces", 256, 0, "sandboxes"};

Test(doctor, a_shared_limit_grows_with_the_ves)
{
	cr_assert_eq(sysctl_wanted(&shared, 0), 8192);
	cr_assert_eq(sysctl_wanted(&shared, 1000), 520192);
	cr_assert_eq(sysctl_judge(&shared, 48, 32768), DOCTOR_OK);
	cr_assert_eq(sysctl_judge(&shared, 49, 32768), DOCTOR_WARN);
	cr_assert_eq(sysctl_judge(&shared, 8000, 4194304), DOCTOR_OK);
	/* what is pasted lasts for more than the next VE */
	cr_assert_eq(sysctl_advised(&shared, 49), 65536);
	cr_assert_eq(sysctl_judge(&shared, 100, sysctl_advised(&shared, 49)), DOCTOR_OK);
	cr_assert_eq(sysctl_advised(&shared, 0), 8192);
}

Test(doctor, what_each_user_has_does_not)
{
	cr_assert_eq(sysctl_judge(&each_user, 0, 128), DOCTOR_OK);
	cr_assert_eq(sysctl_judge(&each_user, 10000, 128), DOCTOR_OK);
	cr_assert_eq(sysctl_judge(&each_user, 1, 127), DOCTOR_WARN);
	cr_assert_eq(sysctl_judge(&each_user, 1, 0), DOCTOR_WARN);
}

Test(doctor, no_namespaces_are_no_ves)
{
	cr_assert_eq(sysctl_judge(&namespaces, 1, 0), DOCTOR_FAIL);
	cr_assert_eq(sysctl_judge(&namespaces, 1, 1), DOCTOR_WARN);
	cr_assert_eq(sysctl_judge(&namespaces, 1, 256), DOCTOR_OK);
}

Test(doctor, the_nearest_folder_that_is_there)
{
	char b[4096];
	doctor_nearest("/proc/self/no/such/folder", b, sizeof b);
	cr_assert_str_eq(b, "/proc");
	doctor_nearest("/no-such-folder/below", b, sizeof b);
	cr_assert_str_eq(b, "/");
	doctor_nearest("/", b, sizeof b);
	cr_assert_str_eq(b, "/");
}
