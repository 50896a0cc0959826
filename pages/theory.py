from convexviz.views.theory import show

show()
