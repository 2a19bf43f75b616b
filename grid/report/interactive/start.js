"use strict";
charts.start();
