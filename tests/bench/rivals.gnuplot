# SPDX-License-Identifier: GPL-2.0
# Bars of what a client gets; `data` is a file of lines, `format` svg or png.
if (format eq "svg") set terminal svg size 800,420 font "sans,13" background "white"
if (format eq "png") set terminal pngcairo size 800,420 font "sans,11"
set multiplot layout 1,2
set style data histograms
set style fill solid 0.9 noborder
set boxwidth 0.8 relative
set yrange [0:*]
set grid ytics linecolor "#dddddd"
set xtics rotate by -40 nomirror
set rmargin 4
set key off
# xdp-lb, and what it is compared with.
color(n) = n < 2 ? 0x999999 : n < 8 ? 0x0072b2 : 0xd55e00
set title "requests/s, keep-alive (thousands)"
plot data using 0:2:(0.8):(color($0)):xtic(1) with boxes linecolor rgb variable
set title "connections/s, a request each (thousands)"
plot data using 0:3:(0.8):(color($0)):xtic(1) with boxes linecolor rgb variable
unset multiplot
