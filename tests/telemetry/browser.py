"""The user's browser: follows the provider's redirects to the last page of the program, which issuer.py needs no user for.

    browser.py ADDRESS
"""

import sys
import urllib.request

with urllib.request.urlopen(sys.argv[-1], timeout=60) as page:
    page.read()
