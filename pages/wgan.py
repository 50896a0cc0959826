from convexviz.views.lab import show

show("wgan")
