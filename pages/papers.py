from convexviz.views.papers import show

show()
