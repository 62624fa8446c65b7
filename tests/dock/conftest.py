"""The dock against the machine's own udev and systemd: `make check-dock` runs these, `make test` does not.

They need Debian's packages udev, systemd and strace, and user namespaces, which not every machine has or allows.
"""

import os

# A real udevd hears the kernel only in the first user namespace. Whoever is not root has no such tests; root has them,
# and they fail where udev is missing: nothing is passed over in silence.
collect_ignore = ["test_udevd.py"] if os.geteuid() else []
