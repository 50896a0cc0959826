from convexviz.views.sweeps import show

show()
