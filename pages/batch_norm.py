from convexviz.views.lab import show

show("batch_norm")
