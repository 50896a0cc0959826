from convexviz.views.results import show

show()
