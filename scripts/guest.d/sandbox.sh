#!/usr/bin/env bash
# Inside the guest of prove-sandbox: the tests of the sandbox, on the kernel that was asked for.
set -euo pipefail
lsm=$(cat /sys/kernel/security/lsm)
word() { sed -n "s/.*$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
wants=$(word guest_landlock) program=$(word guest_program)
echo "Linux $(uname -r), security modules: $lsm"
has=no
[[ ,$lsm, != *,landlock,* ]] || has=yes
[[ $has == "$wants" ]] || { echo "Landlock here: $has, wanted: $wants"; exit 1; }
export CI=1 TMPDIR=/var/tmp RUST_BACKTRACE=0 NETCAP_EXPECT_LANDLOCK=$wants
# As cargo runs it.
cd "$(dirname "$0")/../../capture"
# One after the other: the processor is made of software here.
"$program" --test-threads 1 --color never confined:: injected:: older_kernel:: sandbox:: takeover:: 2>&1
