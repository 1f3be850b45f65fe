"""The page to try wideband: in the browser alone, or served by wideband-demo.

`page/` is one page for both. It restores with LiteRT.js in the browser (`build` makes such a folder
of static files), or with this package on the computer that serves it.
"""
