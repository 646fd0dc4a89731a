# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# A plain Debian 13 guest.
# limit test_b_main_job 180
# limit test_d_rounds 1800
# privileged: a_running_and_nothing_failed b_main_job c_reboot_three_times row04_sys row05_masks row06_dev
# privileged: row07_capabilities row08_console row10_cgroup row16_kernel_log row17_audit row15_boot_id
# privileged: row24_exit_by_signal enter_as_init_does enter_user_and_groups dangerous_calls

release=13
# shellcheck source=tests/system/debian.sh
. "$T_HERE/debian.sh"

test_d_rounds() {
	rounds
}
