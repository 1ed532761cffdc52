"""ComfyUI nodes: Colorize, Keep Lightness, Apply Hints.

ComfyUI imports this folder from its `custom_nodes`. chromagan, and torch with it, is imported once a node runs.
"""

from .nodes import ApplyHints, Colorize, KeepLightness

NODE_CLASS_MAPPINGS = {
    "ChromaganColorize": Colorize,
    "ChromaganKeepLightness": KeepLightness,
    "ChromaganApplyHints": ApplyHints,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "ChromaganColorize": "Colorize (chromagan)",
    "ChromaganKeepLightness": "Keep Lightness (chromagan)",
    "ChromaganApplyHints": "Apply Hints (chromagan)",
}

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
