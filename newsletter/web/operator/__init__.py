"""The operator's pages: everything an operator looks at and does in a browser.

A link from `newsletter operator-link` opens a session; without one, none of these pages exists.
Looking changes nothing, and each change is a POST with the session's own token.
"""
