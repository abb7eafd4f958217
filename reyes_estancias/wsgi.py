"""The WSGI entry point that gunicorn serves."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from reyes_estancias.text_encoding import TextRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reyes_estancias.settings")

application = get_wsgi_application()
application.request_class = TextRequest
