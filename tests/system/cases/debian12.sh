# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# A plain Debian 12 guest.
# limit test_b_main_job 180
# limit test_c_reboot_three_times 120
# limit test_d_rounds 1800
# limit test_row24_exit_by_signal 120

release=12
# shellcheck source=tests/system/debian.sh
. "$T_HERE/debian.sh"


