"""A whole statement of a quarter, made up and adding up: every figure of its summaries is that of its rows.

10,000 in, 1,000 out; 100 ABC bought for 2,000 + 1, 40 of them sold for 1,000 - 1; 2 calls sold for 300 - 1.40 and expired; 1,000 EUR bought for
1,080 + 2; a dividend of 30 less 4.50 tax, of which 1.25 came back; interest of -12.50; a fee of -1.50; 50 OLD came from elsewhere.
USD: 10000 - 1000 - 2001 + 999 + 298.6 - 1080 - 2 + 30 - 4.5 + 1.25 - 12.5 - 1.5 = 7,227.35; EUR: 1,000.
"""

WHOLE = """\ufeffStatement,Header,Field Name,Field Value
Statement,Data,BrokerName,Example Broker
Statement,Data,Title,Activity Statement
Statement,Data,Period,"January 1, 2024 - March 31, 2024"
Statement,Data,WhenGenerated,"2024-04-02, 00:10:24 EDT"
Account Information,Header,Field Name,Field Value
Account Information,Data,Name,Nobody
Account Information,Data,Account,U0000003
Account Information,Data,Base Currency,USD
Net Asset Value,Header,Asset Class,Prior Total,Current Long,Current Short,Current Total,Change
Net Asset Value,Data,Cash ,0,8307.35,0,8307.35,8307.35
Net Asset Value,Data,Stock,0,6500,0,6500,6500
Net Asset Value,Data,Total,0,14807.35,0,14807.35,14807.35
Net Asset Value,Header,Time Weighted Rate of Return
Net Asset Value,Data,4.91%
Change in NAV,Header,Field Name,Field Value
Change in NAV,Data,Starting Value,0
Change in NAV,Data,Mark-to-Market,800
Change in NAV,Data,Deposits & Withdrawals,9000
Change in NAV,Data,Position Transfers,5000
Change in NAV,Data,Dividends,30
Change in NAV,Data,Withholding Tax,-3.25
Change in NAV,Data,Interest,-12.5
Change in NAV,Data,Other Fees,-1.5
Change in NAV,Data,Commissions,-5.4
Change in NAV,Data,Ending Value,14807.35
Mark-to-Market Performance Summary,Header,Asset Category,Symbol,Prior Quantity,Current Quantity,Prior Price,Current Price,Code
Mark-to-Market Performance Summary,Data,Stocks,ABC,0,60,--,25,
Mark-to-Market Performance Summary,Data,Stocks,OLD,0,50,--,100,
Mark-to-Market Performance Summary,Data,Equity and Index Options,ABC 16FEB24 30 C,0,0,--,--,
Mark-to-Market Performance Summary,Data,Forex,EUR,0,1000,--,1.08,
Mark-to-Market Performance Summary,Data,Total,,,,,,
Cash Report,Header,Currency Summary,Currency,Total,Securities,Futures,
Cash Report,Data,Starting Cash,Base Currency Summary,0,0,0,
Cash Report,Data,Deposits,Base Currency Summary,10000,10000,0,
Cash Report,Data,Withdrawals,Base Currency Summary,-1000,-1000,0,
Cash Report,Data,Ending Cash,Base Currency Summary,8307.35,8307.35,0,
Cash Report,Data,Starting Cash,USD,0,0,0,
Cash Report,Data,Deposits,USD,10000,10000,0,
Cash Report,Data,Withdrawals,USD,-1000,-1000,0,
Cash Report,Data,Dividends,USD,30,30,0,
Cash Report,Data,Withholding Tax,USD,-3.25,-3.25,0,
Cash Report,Data,Broker Interest Paid and Received,USD,-12.5,-12.5,0,
Cash Report,Data,Other Fees,USD,-1.5,-1.5,0,
Cash Report,Data,Commissions,USD,-5.4,-5.4,0,
Cash Report,Data,Trades (Sales),USD,1300,1300,0,
Cash Report,Data,Trades (Purchase),USD,-3080,-3080,0,
Cash Report,Data,Ending Cash,USD,7227.35,7227.35,0,
Cash Report,Data,Ending Settled Cash,USD,7227.35,7227.35,0,
Cash Report,Data,Starting Cash,EUR,0,0,0,
Cash Report,Data,Trades (Purchase),EUR,1000,1000,0,
Cash Report,Data,Ending Cash,EUR,1000,1000,0,
Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity,Mult,Cost Price,Cost Basis,Close Price,Value,Unrealized P/L,Code
Open Positions,Data,Summary,Stocks,USD,ABC,60,1,20.01,1200.6,25,1500,299.4,
Open Positions,Data,Summary,Stocks,USD,OLD,50,1,--,--,100,5000,--,
Open Positions,Total,,Stocks,USD,,,,,1200.6,,6500,299.4,
Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,MTM P/L,Code
Trades,Data,Order,Stocks,USD,ABC,"2024-01-10, 10:00:00",100,20,20.5,"-2,000",-1,2001,0,50,O
Trades,Data,Order,Stocks,USD,ABC,"2024-02-12, 10:00:00",-40,25,25,"1,000",-1,-800.4,198.6,0,C
Trades,Data,ClosedLot,Stocks,USD,ABC,2024-01-10,40,20.01,,,,800.4,198.6,,ST
Trades,SubTotal,,Stocks,USD,ABC,,60,,,-1000,-2,1200.6,198.6,50,
Trades,Total,,Stocks,USD,,,,,,-1000,-2,1200.6,198.6,50,\x20
Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,MTM P/L,Code
Trades,Data,Order,Equity and Index Options,USD,ABC 16FEB24 30 C,"2024-01-11, 10:00:00",-2,1.5,1.5,300,-1.4,-298.6,0,0,O
Trades,Data,Order,Equity and Index Options,USD,ABC 16FEB24 30 C,"2024-02-16, 16:20:00",2,0,0,0,0,298.6,298.6,0,C;Ep
Trades,SubTotal,,Equity and Index Options,USD,ABC 16FEB24 30 C,,0,,,300,-1.4,0,298.6,0,
Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,,Proceeds,Comm in USD,,,MTM in USD,Code
Trades,Data,Order,Forex,USD,EUR.USD,"2024-03-04, 09:00:00","1,000",1.08,,-1080,-2,,,0,
Trades,Total,,Forex,USD,,,,,,-1080,-2,,,0,
Transfers,Header,Asset Category,Currency,Symbol,Date,Type,Direction,Xfer Company,Xfer Account,Qty,Xfer Price,Market Value,Realized P/L,Cash Amount,Code
Transfers,Data,Stocks,USD,OLD,2024-01-05,ACATS,In,Other Broker,--,50,--,"5,000.00",0,0,
Transfers,Data,Total,,,,,,,,,,"5,000.00",0,0,
Deposits & Withdrawals,Header,Currency,Settle Date,Description,Amount
Deposits & Withdrawals,Data,USD,2024-01-02,Electronic Fund Transfer,10000
Deposits & Withdrawals,Data,USD,2024-03-20,Disbursement,"-1,000"
Deposits & Withdrawals,Data,Total,,,9000
Fees,Header,Subtitle,Currency,Date,Description,Amount
Fees,Data,Other Fees,USD,2024-02-05,M******1:OPRA NP L1,-1.5
Fees,Data,Total,,,,-1.5
Dividends,Header,Currency,Date,Description,Amount
Dividends,Data,USD,2024-01-25,ABC(US0000000001) Cash Dividend USD 0.30 per Share (Ordinary Dividend),30
Dividends,Data,Total,,,30
Withholding Tax,Header,Currency,Date,Description,Amount,Code
Withholding Tax,Data,USD,2024-01-25,ABC(US0000000001) Cash Dividend USD 0.30 per Share - US Tax,-4.5,
Withholding Tax,Data,USD,2023-06-14,ABC(US0000000001) Cash Dividend USD 0.30 per Share - US Tax,1.25,
Withholding Tax,Data,Total,,,-3.25,
Interest,Header,Currency,Date,Description,Amount
Interest,Data,USD,2024-02-05,USD Debit Interest for Jan-2024,-12.5
Interest,Data,Total,,,-12.5
Financial Instrument Information,Header,Asset Category,Symbol,Description,Conid,Security ID,Underlying,Listing Exch,Multiplier,Type,Code
Financial Instrument Information,Data,Stocks,ABC,EXAMPLE,1,US0000000001,ABC,NASDAQ,1,COMMON,
Financial Instrument Information,Header,Asset Category,Symbol,Description,Conid,Underlying,Listing Exch,Multiplier,Expiry,Delivery Month,Type,Strike,Code
Financial Instrument Information,Data,Equity and Index Options,ABC   240216C00030000,ABC 16FEB24 30 C,2,ABC,CBOE,100,2024-02-16,2024-02,C,30,
Codes,Header,Code,Meaning,Code (Cont.),Meaning (Cont.)
Codes,Data,A,Assignment,O,Opening Trade
Notes/Legal Notes,Header,Type,Note
Notes/Legal Notes,Data,Notes,"First line
second line"
"""
