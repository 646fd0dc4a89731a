# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# A plain Debian 12 guest.
# limit test_b_main_job 180
# limit test_d_rounds 1800
# privileged: a_running_and_nothing_failed b_main_job row04_sys row05_masks row06_dev row07_capabilities row08_console
# privileged: row10_cgroup row16_kernel_log row17_audit enter_as_init_does enter_user_and_groups dangerous_calls

release=12
# shellcheck source=tests/system/debian.sh
. "$T_HERE/debian.sh"


