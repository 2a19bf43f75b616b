"""The human study of Zhong and Deng (ICPR 2018, Section V): do maps of explanation help people to compare two faces?"""
