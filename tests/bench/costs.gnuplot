# SPDX-License-Identifier: GPL-2.0
# Bars of what a feature costs a packet; `data` is a file of lines, `format` svg or png.
if (format eq "svg") set terminal svg size 800,620 font "sans,13" background "white"
if (format eq "png") set terminal pngcairo size 800,620 font "sans,11"
set title "What a feature costs a packet of one flow (ns more than without it)"
set xlabel "ns"
set grid xtics linecolor "#dddddd"
set yrange [-0.7:*]
set autoscale yfixmax
set offsets 0, 0, 0.7, 0
set style fill solid 0.9 noborder
set key right center
set arrow from 10, graph 0 to 10, graph 1 nohead dashtype 2 linecolor rgb "#999999"
plot data using 2:0:(0):2:($0 + 0.02):($0 + 0.36):ytic(1) with boxxyerror \
		linecolor rgb "#0072b2" title "dsr", \
	data using 3:0:(0):3:($0 - 0.36):($0 - 0.02) with boxxyerror \
		linecolor rgb "#d55e00" title "nat, known flow", \
	NaN with lines dashtype 2 linecolor rgb "#999999" title "10 ns"
