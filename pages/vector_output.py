from convexviz.views.lab import show

show("vector_output")
