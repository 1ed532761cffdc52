"""Where and how it is computed: devices, arithmetic, several processes."""
