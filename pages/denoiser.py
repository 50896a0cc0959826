from convexviz.views.lab import show

show("denoiser")
