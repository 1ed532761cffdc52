"""The studio as a Space: visitors bring their own photos, no one sees another's, nothing is kept."""

import os

import uvicorn

from chromagan import Colorizer
from chromagan.apps.studio.app import make_app
from chromagan.apps.studio.desk import Limits
from chromagan.apps.studio.studio import Studio

LIMITS = Limits(upload_bytes=30_000_000, pixels=40_000_000, photos=8, desks=40, idle_seconds=1200)
studio = Studio(lambda: Colorizer.from_pretrained("chromagan"), limits=LIMITS)
# Anyone may come, by the name that the Space has; Hugging Face shows it inside a page of its own.
app = make_app(studio, token="", hosts=(os.environ.get("SPACE_HOST", ""),), framed="https://huggingface.co")

if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=int(os.environ.get("PORT", "7860")), log_level="warning")
