# SPDX-License-Identifier: GPL-2.0
# ns of a packet over the number of flows; `data` is a file of blocks, `format` svg or png.
if (format eq "svg") set terminal svg size 800,480 font "sans,13" background "white"
if (format eq "png") set terminal pngcairo size 800,480 font "sans,11"
set title "Cost of a packet (IPv4, TCP data, above the empty program)"
set xlabel "flows"
set ylabel "ns per packet"
set logscale x
set format x "%.0s%c"
set xrange [0.8:1300000]
set yrange [0:*]
set grid ytics linecolor "#dddddd"
set key left top reverse Left
set style line 1 linecolor "#999999" dashtype 2 linewidth 2 pointtype 7 pointsize 0.5
set style line 2 linecolor "#555555" dashtype 2 linewidth 2 pointtype 7 pointsize 0.5
set style line 3 linecolor "#0072b2" linewidth 2 pointtype 7 pointsize 0.7
set style line 4 linecolor "#009e73" linewidth 2 pointtype 7 pointsize 0.7
set style line 5 linecolor "#d55e00" linewidth 2 pointtype 7 pointsize 0.7
set style line 6 linecolor "#e69f00" linewidth 2 pointtype 7 pointsize 0.7
plot for [i = 0:5] data index i using 1:2 with linespoints linestyle (i + 1) title columnheader(1)
