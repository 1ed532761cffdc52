"""Where and how it is computed: devices, arithmetic, threads, several processes."""
